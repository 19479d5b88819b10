import { ClockWatch } from '../../gateway/clock/index.ts'
import { parseConfig } from '../../gateway/config/index.ts'
import { Ingest, Unreleased } from '../../gateway/ingest/index.ts'
import { compileTopics } from '../../gateway/ingest/topics/index.ts'
import { keeperOf } from '../../gateway/keeper.ts'
import { outboxLog } from '../../gateway/narrate.ts'
import { createLog } from '../../gateway/observe/index.ts'
import { Outbox } from '../../gateway/outbox/index.ts'
import { levelDisk } from '../../gateway/ports/index.ts'
import { outboxSettings } from '../../gateway/settings.ts'
import { StateMachine } from '../../gateway/state/index.ts'
import { fillTopic, TOPIC } from '../../simulators/fleet/index.ts'
import { seededRandom, systemClock, systemRandom } from '../../sync/runtime/index.ts'
import { gatewayYaml, OWNER } from './gateway.ts'

/** As many devices as the load of the other benches has. */
const DEVICES = 100
/** Publishes handed over before the loop turns: about what a busy gateway gathers in one commit. */
const AT_A_TIME = 2000

/** Without it every value would repeat an earlier one, and compress as no real signal does. */
const noise = seededRandom(1)

/**
 * Makes (or lengthens) the outbox that a gateway with a cut link would have after `count` (more) readings, with the gateway's own
 * parts: everything but the sockets. What it leaves is what the gateway itself would have left.
 *
 * @param first counter of the first reading; go on where an earlier call ended
 */
export async function buildBacklog(dir: string, count: number, signal: AbortSignal, first = 0): Promise<void> {
  const config = parseConfig(gatewayYaml({ dir, servers: ['nats://127.0.0.1:4222'] }, 1883), {})
  const { ingest } = config
  const machine = new StateMachine({
    dedupeWindow: ingest.dedupe.window,
    maxSeries: ingest.maxSeries,
    gateway: OWNER.gateway,
  })
  const unreleased = new Unreleased((name, value) => outbox.attach(name, value))
  const outbox = await Outbox.open({
    disk: levelDisk,
    dir: config.dataDir,
    owner: OWNER,
    settings: outboxSettings(config),
    clock: systemClock,
    random: systemRandom,
    keeper: keeperOf(machine, unreleased, systemClock),
    events: outboxLog(createLog('error', OWNER)),
  })
  try {
    const acceptor = new Ingest({
      topics: compileTopics({ site: config.site, templates: ingest.topics, local: ingest.localTopics }),
      limits: ingest,
      clock: new ClockWatch({ clock: systemClock, ...ingest, lastCommit: null, changed: () => undefined }),
      admission: ingest,
      machine,
      journal: outbox,
      unreleased,
      heard: () => undefined,
      count: () => {},
    })
    for (let at = first; at < first + count; ) {
      signal.throwIfAborted()
      const end = Math.min(at + AT_A_TIME, first + count)
      const accepted: Promise<void>[] = []
      for (; at < end; at++) accepted.push(accept(acceptor, at))
      await Promise.all(accepted)
    }
  } finally {
    await outbox.close()
  }
}

function accept(acceptor: Ingest, number: number): Promise<void> {
  const device = `temperature-sensor-${1001 + (number % DEVICES)}`
  const now = Date.now()
  return new Promise((resolve, reject) => {
    acceptor.accept(
      {
        clientId: device,
        topic: fillTopic(TOPIC, device, 'temperature'),
        payload: Buffer.from(publishText(device, number, now)),
        qos: 1,
        dup: false,
        messageId: 1 + (number % 65_535),
        received: now,
      },
      (error) => (error ? reject(error) : resolve()),
    )
  })
}

/** About what the load generator publishes, with values that wander and tremble like a measured quantity. */
function publishText(device: string, number: number, time: number): string {
  const seq = 1_000_000_000 + Math.floor(number / DEVICES)
  const value = (20 + 5 * Math.sin(number / 400_000 + (number % DEVICES)) + noise.next() / 2).toFixed(3)
  return `{"device":"${device}","seq":${seq},"time":${time},"value":${value},"unit":"Cel","session":"0123abcd"}`
}
