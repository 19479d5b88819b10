import { setTimeout as delay } from 'node:timers/promises'
import { startCentral } from '../../simulators/central/index.ts'
import { type LoadResult, runLoad } from '../../simulators/load/index.ts'
import type { Bench, BenchOptions, Measurement } from './bench.ts'
import { makeGateway, pidOf } from './gateway.ts'
import { observe } from './jetstream.ts'
import { mosquittoVersion, startMosquitto } from './peers/mosquitto.ts'
import { cpuDuring } from './process-usage.ts'
import type { Scope } from './scope.ts'
import { compare, median } from './statistics.ts'

/** Makes payloads of about 130 bytes. */
export const DEVICE_NAME = 'temperature-sensor'
export const CONNECTIONS = 100
export const IN_FLIGHT = 20

interface Server {
  port: number
  pid: number
}

interface Run {
  rate: number
  cpu: number | null
  p50: number
  p99: number
}

type Contender = (options: BenchOptions, scope: Scope) => Promise<Server>

/** Durable before it is acknowledged, forwarding to a centre that is there all the while. */
const tidegate: Contender = async (options, scope) => {
  const central = await startCentral({ dir: await scope.folder() })
  await scope.defer(() => central.stop())
  const gateway = await makeGateway(options, scope, { dir: await scope.folder(), servers: [central.url] })
  await gateway.process.start()
  await gateway.process.waitFor((status) => status?.link.link === 'up', 10_000)
  return { port: gateway.mqttPort, pid: pidOf(gateway) }
}

/** nats-server's own MQTT, with a stream that keeps the readings. */
const natsMqtt =
  (syncInterval: 'always' | null): Contender =>
  async (_, scope) => {
    const server = await startCentral({
      dir: await scope.folder(),
      mqtt: true,
      ...(syncInterval === null ? {} : { syncInterval }),
    })
    await scope.defer(() => server.stop())
    const { manager, connection } = await observe(scope, [server.url])
    await manager.streams.add({ name: 'SENSORS', subjects: ['sensors.>'] })
    await connection.close()
    return { port: server.mqttPort ?? 0, pid: server.pid ?? 0 }
  }

const mosquitto: Contender = (_, scope) => startMosquitto(scope)

export const ingestQos1: Bench = {
  name: 'ingest-qos1',
  summary: 'MQTT QoS 1: 100 connections x 20 in flight, beside mosquitto and the MQTT of nats-server',
  async *run(options): AsyncIterable<Measurement> {
    const { quick, say } = options
    const version = await mosquittoVersion()
    if (version === null) say('mosquitto is not installed (apt-get install mosquitto): nothing to compare with')
    const rounds = quick ? 5 : 9
    const ours: Run[] = []
    const peers = { mosquitto: [] as Run[], durable: [] as Run[], lazy: [] as Run[] }
    for (let round = 1; round <= rounds; round++) {
      const go = async (name: string, contender: Contender): Promise<Run> => {
        const run = await options.scope.within((scope) => measure(options, scope, contender))
        say(`round ${round}/${rounds} ${name}: ${describe(run)}`)
        return run
      }
      ours.push(await go('tidegate', tidegate))
      if (version !== null) peers.mosquitto.push(await go('mosquitto', mosquitto))
      peers.durable.push(await go('nats-server, fsync always', natsMqtt('always')))
      peers.lazy.push(await go('nats-server, fsync every 2 minutes', natsMqtt(null)))
    }
    const beside = (runs: readonly Run[]) =>
      compare(ours.map(({ rate }, round) => ({ ours: rate, peer: runs[round]?.rate ?? null })))
    const unit = 'readings/s'
    const mosquittoName = version === null ? null : `mosquitto ${version}, persistence on, acks from memory`
    yield { bench: 'ingest-qos1', unit, ...beside(peers.mosquitto), peerName: mosquittoName }
    yield {
      bench: 'ingest-qos1-durable',
      unit,
      ...beside(peers.durable),
      peerName: 'nats-server MQTT, sync_interval always',
    }
    yield { bench: 'ingest-qos1-lazy', unit, ...beside(peers.lazy), peerName: 'nats-server MQTT, sync_interval 2m' }
    const detail = (of: (run: Run) => number | null) => ({
      ...compare(
        ours.flatMap((run, round) => {
          const own = of(run)
          const peer = peers.mosquitto[round]
          return own === null ? [] : [{ ours: own, peer: peer ? of(peer) : null }]
        }),
      ),
      peerName: mosquittoName,
    })
    if (ours.some(({ cpu }) => cpu !== null))
      yield { bench: 'ingest-qos1-cpu', unit: 'us/reading', ...detail(({ cpu }) => cpu) }
    yield { bench: 'ingest-qos1-p50', unit: 'ms to ack', ...detail(({ p50 }) => p50) }
    yield { bench: 'ingest-qos1-p99', unit: 'ms to ack', ...detail(({ p99 }) => p99) }
    say(`nats-server's CPU: ${median(peers.lazy.map(({ cpu }) => cpu ?? Number.NaN)).toFixed(1)} us a reading (lazy)`)
  },
}

async function measure(options: BenchOptions, scope: Scope, contender: Contender): Promise<Run> {
  const { quick, signal } = options
  const { port, pid } = await contender(options, scope)
  const { result, micros } = await cpuDuring(pid, () =>
    runLoad({
      servers: [{ host: '127.0.0.1', port }],
      connections: CONNECTIONS,
      inFlight: IN_FLIGHT,
      warmUp: quick ? 1_500 : 3_000,
      duration: quick ? 4_500 : 11_000,
      name: DEVICE_NAME,
      signal,
    }),
  )
  signal.throwIfAborted()
  // What one run leaves the disk to write is not the next one's burden.
  await delay(quick ? 300 : 1_000)
  return runOf(result, micros)
}

function runOf({ acksPerSecond, acknowledged, latency }: LoadResult, micros: number | null): Run {
  return {
    rate: acksPerSecond,
    cpu: micros === null ? null : micros / acknowledged,
    p50: latency.p50,
    p99: latency.p99,
  }
}

const describe = ({ rate, cpu, p50, p99 }: Run): string =>
  `${Math.round(rate).toLocaleString('en-US')} acks/s, ${cpu === null ? '?' : cpu.toFixed(1)} us CPU a reading, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`
