import { join } from 'node:path'
import { type CentralDialer, natsDialer } from '../sync/link/index.ts'
import { type Clock, type Random, systemClock, systemRandom } from '../sync/runtime/index.ts'
import { followRulesFile } from './alarms/index.ts'
import { startApi } from './api/index.ts'
import type { Config } from './config/index.ts'
import { startCore } from './core.ts'
import type { FailoverCounter } from './failover/index.ts'
import { mqttPeerDialer } from './failover/link/index.ts'
import { Handover } from './handover.ts'
import type { IngestCounter } from './ingest/index.ts'
import { type MqttCounter, startMqtt } from './ingest/mqtt/index.ts'
import { Counters, createLog, type GatewayStatus, healthOf, type Log, ReadingTap } from './observe/index.ts'
import { type Disk, levelDisk } from './ports/index.ts'
import { coreSettings, mqttSettings, natsSettings, peerSettings } from './settings.ts'

/** The world that a gateway runs in; the machine's own unless said. */
export interface World {
  clock?: Clock
  random?: Random
  disk?: Disk
  dialer?: CentralDialer
  log?: Log
}

export interface Gateway {
  /** Where devices connect, in the order of the configuration. */
  readonly listeners: readonly string[]
  /** Where the HTTP API is. */
  readonly api: string
  status(): Promise<GatewayStatus>
  /** Aborts when everything is handed over to the peers, and somebody has asked for the process to end then. */
  readonly handedOver: AbortSignal
  /** Takes no more, answers what is under way, closes the store. Whatever was not forwarded is forwarded after the next start. */
  stop(): Promise<void>
}

/**
 * Puts a gateway together and starts it. The order is the way of a reading, from its end: what takes from a part is
 * there before what feeds it, and goes after it.
 *
 * @throws OperatorError when only a person can mend it: configuration, a damaged or foreign outbox, a port in use
 */
export async function startGateway(config: Config, world: World = {}): Promise<Gateway> {
  const { clock = systemClock, random = systemRandom, disk = levelDisk } = world
  const { site, gateway, ingest } = config
  const log = world.log ?? createLog(config.log.level, { site, gateway })
  const counters = new Counters<IngestCounter | MqttCounter | FailoverCounter>()
  const started = clock.monotonic()

  const dialer = world.dialer ?? natsDialer(await natsSettings(config.central, `tidegate ${site}/${gateway}`))
  const peers = await peerSettings(config)
  const tap = new ReadingTap()
  const core = await startCore(coreSettings(config), {
    clock,
    random,
    disk,
    dialer,
    peers: peers && mqttPeerDialer(peers),
    log,
    count: (counter, by) => counters.increment(counter, by),
    heard: (reading) => tap.offer(reading),
  })
  const { machine, outbox, forwarder, desk, acceptor, failover, watch } = core
  // What was started is stopped in the opposite order, also when a later part cannot start.
  const parts: (() => Promise<void> | void)[] = [() => core.stop()]
  const stopAll = async (): Promise<void> => {
    for (const stop of parts.splice(0).reverse()) await stop()
  }
  try {
    parts.push(
      await followRulesFile({ file: config.rules.file ?? null, every: config.rules.checkEvery, desk, clock, log }),
    )
    const mqtt = await startMqtt({
      settings: mqttSettings(config),
      acceptor,
      clock,
      log,
      counters,
      ...(peers && { peers }),
      ...(config.mqtt.serverReference !== undefined && { serverReference: config.mqtt.serverReference }),
    })
    parts.push(() => mqtt.close())
    core.meetPeers(mqtt.peers)
    const pending = (): number => Object.values(outbox.status().lanes).reduce((sum, lane) => sum + lane.pending, 0)
    const handover = new Handover({ devices: mqtt.devices, failover, pending, clock, log })
    parts.push(() => handover.farewell())
    const listeners = mqtt.addresses.map(({ url }) => url)

    const status = async (): Promise<GatewayStatus> => {
      const committed = await outbox.lane('readings').oldestPending()
      const now: Omit<GatewayStatus, 'health'> = {
        site,
        gateway,
        at: clock.now(),
        uptime: clock.monotonic() - started,
        listeners,
        topics: ingest.topics.map(({ template }) => template),
        connections: mqtt.connections(),
        series: machine.seriesCount,
        rules: { revision: machine.rules.revision, count: machine.rules.size },
        link: forwarder.status(),
        outbox: outbox.status(),
        oldestPending: committed === null ? null : clock.now() - committed,
        failover: failover?.status() ?? null,
        clock: { behind: watch.look() },
        handover: handover.status(),
        counters: counters.toJSON(),
      }
      return { ...now, health: healthOf(now) }
    }
    const { dataDir } = config
    const events = outbox.lane('events')
    const ending = new AbortController()
    const end = (): void => ending.abort()
    const api = await startApi({ ...config.api, dataDir, desk, events, tap, status, handover, end, clock, log })
    parts.push(() => api.stop())
    if (config.flows.enabled) parts.push(await startNodeRed(config, { clock, random, log }))
    log.info({ listeners, dataDir }, 'the gateway takes readings')
    return {
      listeners,
      api: api.url,
      status,
      handedOver: ending.signal,
      async stop() {
        log.info({}, 'stopping')
        await stopAll()
        log.info({}, 'stopped')
      },
    }
  } catch (error) {
    await stopAll()
    throw error
  }
}

/** Node-RED beside the gateway: whatever becomes of it, readings and alarms go on. */
async function startNodeRed(config: Config, { clock, random, log }: Required<Pick<World, 'clock' | 'random' | 'log'>>) {
  const { startFlows } = await import('../flows/index.ts')
  const flows = await startFlows({
    userDir: join(config.dataDir, 'flows'),
    apiFile: join(config.dataDir, 'api.json'),
    ...config.flows,
    clock,
    random,
    log: ({ level, text }) => log[level]({ part: 'flows' }, text),
    onPassword: ({ user, password }) =>
      log.warn({ part: 'flows', user, password }, 'log in to the editor of the flows with this; it is said only once'),
  })
  log.info({ url: flows.url }, 'Node-RED is being started')
  return () => flows.stop()
}
