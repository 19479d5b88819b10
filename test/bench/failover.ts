import { setTimeout as delay } from 'node:timers/promises'
import type { JetStreamClient } from '@nats-io/jetstream'
import type { ClientProfileName } from '../../simulators/fleet/index.ts'
import { type LoadResult, runLoad } from '../../simulators/load/index.ts'
import { type FailoverTimes, Site } from '../../simulators/site/index.ts'
import { isFence, type Millis, readingsSubject, STREAMS } from '../../sync/contract/index.ts'
import type { Bench, BenchOptions, Measurement } from './bench.ts'
import { CONNECTIONS, DEVICE_NAME, IN_FLIGHT } from './ingest/loads.ts'
import { observe } from './jetstream.ts'
import { startPair } from './pair.ts'
import type { Scope } from './scope.ts'
import { compare } from './statistics.ts'

type Durability = 'local' | 'replicated'

/** Readings a second at which nothing has to wait for anything but its own way. */
const CALM = 1000
const LOCAL = 'the same pair, durability local'

/** What a second disk costs: as many readings as the pair takes, and how long one waits when there are few. */
export const replicated: Bench = {
  name: 'replicated',
  summary: 'Two gateways: acknowledged when both disks have it, beside acknowledged when one has',
  async *run(options): AsyncIterable<Measurement> {
    const { quick, say } = options
    const rounds: Record<Durability, LoadResult>[] = []
    for (let round = 1; round <= (quick ? 2 : 5); round++) {
      const full = {
        local: await load(options, 'local', null),
        replicated: await load(options, 'replicated', null),
      }
      rounds.push(full)
      say(`round ${round}: local ${rate(full.local)}, replicated ${rate(full.replicated)}`)
    }
    const both = (of: (result: LoadResult) => number) =>
      compare(rounds.map(({ local, replicated }) => ({ ours: of(replicated), peer: of(local) })))
    const full = both(({ acksPerSecond }) => acksPerSecond)
    yield { bench: 'replicated-rate', unit: 'readings/s', ...full, peerName: LOCAL }
    const calm = { local: await load(options, 'local', CALM), replicated: await load(options, 'replicated', CALM) }
    for (const name of ['p50', 'p99'] as const)
      yield {
        bench: `replicated-${name}`,
        unit: 'ms to ack',
        ours: calm.replicated.latency[name],
        peer: calm.local.latency[name],
        peerName: LOCAL,
      }
  },
}

/** @param rate readings a second; null = as many as are acknowledged */
async function load(options: BenchOptions, durability: Durability, rate: number | null): Promise<LoadResult> {
  const { quick, signal } = options
  return await options.scope.within(async (scope) => {
    const { ports } = await startPair(options, scope, durability)
    const result = await runLoad({
      servers: ports.map((port) => ({ host: '127.0.0.1', port })),
      connections: CONNECTIONS,
      inFlight: IN_FLIGHT,
      warmUp: quick ? 1_500 : 3_000,
      duration: quick ? 5_000 : 15_000,
      name: DEVICE_NAME,
      signal,
      ...(rate === null ? {} : { rate }),
    })
    signal.throwIfAborted()
    return result
  })
}

const rate = ({ acksPerSecond }: LoadResult): string => `${Math.round(acksPerSecond).toLocaleString('en-US')}/s`

/** How long devices and readings are without a gateway when one of two is killed. */
export const failover: Bench = {
  name: 'failover',
  summary:
    'kill -9 of one of two gateways: until its devices are acknowledged elsewhere, and until the centre has all of it',
  async *run(options): AsyncIterable<Measurement> {
    for (const [client, row] of [
      ['tuned', 'failover-tuned'],
      ['mqtt.js', 'failover-mqttjs'],
    ] as const) {
      const { p50, p99, moves } = await options.scope.within((scope) => moving(options, scope, client))
      options.say(`${client}: ${moves} connections moved`)
      yield { bench: `${row}-p50`, unit: 'ms', ours: p50 ?? Number.NaN, peer: null, peerName: null }
      yield { bench: `${row}-p99`, unit: 'ms', ours: p99 ?? Number.NaN, peer: null, peerName: null }
    }
    const last = await options.scope.within((scope) => leftBehind(options, scope))
    yield { bench: 'failover-last', unit: 'ms', ours: last, peer: null, peerName: null }
  },
}

async function startSite(options: BenchOptions, scope: Scope, client: ClientProfileName): Promise<Site> {
  const { entry, quick } = options
  const devices = quick ? 40 : 200
  const dir = await scope.folder()
  const site = await Site.start({ entry, dir, gateways: 2, devices, rate: 10, trouble: 0, client })
  await scope.defer(() => site.stop())
  await Promise.all(
    site.gateways.map(({ process }) =>
      process.waitFor((status) => status?.failover?.peers.every(({ inStep }) => inStep) === true, 20_000),
    ),
  )
  return site
}

/** Kills both gateways in turn, and lets each come back. */
async function moving(options: BenchOptions, scope: Scope, client: ClientProfileName): Promise<FailoverTimes> {
  const site = await startSite(options, scope, client)
  for (let kill = 0; kill < (options.quick ? 1 : 6); kill++) {
    const which = kill % 2
    await delay(2_000)
    const { moved } = await site.killGateway(which)
    await moved
    await site.startGateway(which)
    options.signal.throwIfAborted()
  }
  const { summary } = await site.finish(options.signal)
  if (summary.lost > 0 || summary.doubled > 0)
    options.say(`NOT SOUND: ${summary.lost} lost, ${summary.doubled} doubled`)
  return summary.failoverMs
}

/** From the kill of a gateway that the centre lacks readings of until it has the last one, by the centre's own time stamps. */
async function leftBehind(options: BenchOptions, scope: Scope): Promise<number> {
  const site = await startSite(options, scope, 'tuned')
  await site.cutLink(0)
  await delay(1_000)
  const killed = Date.now()
  await site.killGateway(0)
  const [first, second] = site.gateways
  const owed = (): number =>
    second?.process.status?.failover?.peers.find(({ gateway }) => gateway === first?.name)?.holds ?? 0
  await second?.process.waitFor((status) => (status?.at ?? 0) > killed && owed() > 0, 20_000)
  options.say(`${owed()} readings of the dead gateway are on its neighbour's disk alone`)
  await second?.process.waitFor(() => owed() === 0, 60_000)
  const { client } = await observe(scope, [site.addresses.centralUrl])
  return (await newestPack(client, readingsSubject(site.addresses.site, first?.name ?? ''))) - killed
}

/** When the centre got the newest message of a chain that is no fence. */
async function newestPack(client: JetStreamClient, filter_subjects: string): Promise<Millis> {
  const consumer = await client.consumers.get(STREAMS.readings, { filter_subjects })
  let newest = Number.NaN
  for await (const { info, headers } of await consumer.consume()) {
    if (!isFence((name) => headers?.get(name))) newest = info.timestampNanos / 1e6
    if (info.pending === 0) break
  }
  return newest
}
