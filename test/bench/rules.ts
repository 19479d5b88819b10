import { setTimeout as delay } from 'node:timers/promises'
import { checkRules, Engine, RuleSet } from '../../gateway/rules/index.ts'
import { startCentral } from '../../simulators/central/index.ts'
import { runLoad } from '../../simulators/load/index.ts'
import type { Reading } from '../../sync/contract/index.ts'
import type { Bench, BenchOptions, Measurement } from './bench.ts'
import { makeGateway } from './gateway.ts'
import { CONNECTIONS, DEVICE_NAME, IN_FLIGHT } from './ingest/loads.ts'
import { ONE_RULE, THREE_RULES } from './rule-sets.ts'
import type { Scope } from './scope.ts'
import { compare, median } from './statistics.ts'

/** Series of each connection: 10,000 in all. */
const SERIES = 100

const KEEPS_NOTHING = { changed: () => undefined, gone: () => undefined }

/** Readings a second that the engine alone decides, on one core. */
function applyRate(rules: unknown, series: number, count: number): number {
  const engine = new Engine(new RuleSet(checkRules(rules)), KEEPS_NOTHING, { from: 0 }, '@gw')
  engine.resume(0, [])
  const readings = Array.from({ length: series }, (_, i): Reading => {
    return { device: `device-${i % 1000}`, metric: `m${Math.floor(i / 1000)}`, value: 20 + (i % 50) / 10, received: 0 }
  })
  const round = (upTo: number): void => {
    for (let n = 0; n < upTo; n++) {
      const reading = readings[n % series]
      if (!reading) return
      reading.received++
      engine.apply(reading, n)
    }
  }
  round(Math.min(count, series * 3))
  const started = process.hrtime.bigint()
  round(count)
  return count / (Number(process.hrtime.bigint() - started) / 1e9)
}

/** What of the rate of ingest is left with 10,000 series that have three rules each. */
async function ingestRate(options: BenchOptions, scope: Scope, rules: unknown): Promise<number> {
  const { quick, signal } = options
  const central = await startCentral({ dir: await scope.folder() })
  await scope.defer(() => central.stop())
  const gateway = await makeGateway(options, scope, { dir: await scope.folder(), servers: [central.url], rules })
  await gateway.process.start()
  await gateway.process.waitFor((status) => status?.link.link === 'up', 10_000)
  const { acksPerSecond } = await runLoad({
    servers: [{ host: '127.0.0.1', port: gateway.mqttPort }],
    connections: CONNECTIONS,
    inFlight: IN_FLIGHT,
    series: SERIES,
    metric: 'm',
    warmUp: quick ? 2_000 : 4_000,
    duration: quick ? 5_000 : 12_000,
    name: DEVICE_NAME,
    signal,
  })
  signal.throwIfAborted()
  await delay(quick ? 300 : 1_000)
  return acksPerSecond
}

export const rules: Bench = {
  name: 'rules',
  summary:
    'Rules: what the engine decides on one core, and what of the rate of ingest is left with 10,000 series and 3 rules each',
  async *run(options): AsyncIterable<Measurement> {
    const { quick, say } = options
    const rounds = quick ? 3 : 7
    const apply = (set: unknown, series: number): number =>
      median(Array.from({ length: rounds }, () => applyRate(set, series, quick ? 2_000_000 : 5_000_000)))
    const alone = { peer: null, peerName: null, unit: 'readings/s' }
    yield { bench: 'rules-apply', ours: apply(ONE_RULE, 1), ...alone }
    yield { bench: 'rules-apply-10000-series', ours: apply(ONE_RULE, 10_000), ...alone }
    yield { bench: 'rules-apply-10000-series-3-rules', ours: apply(THREE_RULES, 10_000), ...alone }

    const pairs: { ours: number; peer: number }[] = []
    for (let round = 1; round <= (quick ? 3 : 7); round++) {
      const pair = {
        ours: await options.scope.within((scope) => ingestRate(options, scope, THREE_RULES)),
        peer: await options.scope.within((scope) => ingestRate(options, scope, null)),
      }
      pairs.push(pair)
      say(`round ${round}: ${Math.round(pair.ours)} acks/s with rules, ${Math.round(pair.peer)} without`)
    }
    yield { bench: 'rules-ingest', unit: 'readings/s', ...compare(pairs), peerName: 'the same gateway without rules' }
  },
}
