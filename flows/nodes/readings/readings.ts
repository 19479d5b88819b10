import type { Reading } from '../../../sync/contract/index.ts'
import { describeError } from '../../../sync/contract/index.ts'
import { Backoff, pause, systemClock, systemRandom } from '../../../sync/runtime/index.ts'
import type { FlowNode, Red } from '../red.ts'
import { type Connection, connectionOf, isOurs, startNode } from '../shared/index.ts'

interface ReadingsConfig {
  gateway?: string
  device?: string
  metric?: string
  /** `all`, or `sampled`: one per series in `every`. */
  mode?: string
  /** Seconds, as text. */
  every?: string
  /** Also what flows have published: careful, a flow that publishes what it reads goes round in circles. */
  ours?: boolean
}

/** A tap on the readings as they come in. Best effort: a flow that is too slow misses some, and holds up nothing. */
export default function register(red: Red): void {
  red.nodes.registerType<ReadingsConfig>('tidegate-readings', function (config) {
    red.nodes.createNode(this, config)
    startNode(this, () => {
      const stop = new AbortController()
      void follow(this, config, connectionOf(red, config.gateway), stop.signal)
      this.on('close', (_removed, done) => {
        stop.abort()
        done()
      })
    })
  })
}

async function follow(node: FlowNode, config: ReadingsConfig, { api }: Connection, signal: AbortSignal): Promise<void> {
  const backoff = new Backoff({ min: 200, max: 10_000 }, systemRandom)
  const query = {
    device: config.device?.trim() || undefined,
    metric: config.metric?.trim() || undefined,
    every: config.mode === 'all' ? undefined : String(Math.max(1, Number(config.every ?? 1) || 1) * 1000),
  }
  const opened = (): void => {
    backoff.reset()
    node.status({ fill: 'green', shape: 'ring', text: 'listening' })
  }
  while (!signal.aborted) {
    try {
      for await (const { event, data } of api.stream('/readings', query, signal, opened)) {
        if (event === 'reading') tell(node, JSON.parse(data) as Reading, config.ours === true)
      }
    } catch (error) {
      node.status({ fill: 'grey', shape: 'ring', text: describeError(error).slice(0, 60) })
    }
    await pause(systemClock, backoff.next(), signal)
  }
}

function tell(node: FlowNode, reading: Reading, ours: boolean): void {
  if (!ours && isOurs(reading)) return
  node.send({ topic: `${reading.device}/${reading.metric}`, payload: reading.value, reading })
}
