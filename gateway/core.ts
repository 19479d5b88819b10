import { describeError, encodeLine, type Reading, type ThresholdEvent } from '../sync/contract/index.ts'
import { Forwarder, type ForwarderSettings } from '../sync/forward/index.ts'
import type { CentralDialer } from '../sync/link/index.ts'
import type { Clock, Random } from '../sync/runtime/index.ts'
import { AlarmDesk } from './alarms/index.ts'
import { ClockWatch, hearCentre } from './clock/index.ts'
import type { Config } from './config/index.ts'
import {
  Failover,
  type FailoverCounter,
  type FailoverSettings,
  type PeerDialer,
  type PeerHost,
} from './failover/index.ts'
import { Ingest, type IngestCounter, Unreleased } from './ingest/index.ts'
import { compileTopics } from './ingest/topics/index.ts'
import { keeperOf } from './keeper.ts'
import { clockLog, failoverLog, forwardingLog, outboxLog } from './narrate.ts'
import type { Log } from './observe/index.ts'
import { Outbox, type OutboxSettings } from './outbox/index.ts'
import type { Disk } from './ports/index.ts'
import { StateMachine } from './state/index.ts'

export interface CoreSettings {
  site: string
  gateway: string
  dataDir: string
  ingest: Config['ingest']
  outbox: OutboxSettings
  forwarder: ForwarderSettings
  /** null: there is no other gateway. */
  failover: FailoverSettings | null
}

/** What the core touches the world with. */
export interface CoreWorld {
  clock: Clock
  random: Random
  disk: Disk
  dialer: CentralDialer
  /** How peers are reached; not needed where there are none. */
  peers: PeerDialer | null
  log: Log
  count(counter: IngestCounter | FailoverCounter, by?: number): void
  /** Called for every new reading, before it is durable. */
  heard(reading: Reading): void
}

/** A gateway without its sockets: everything that decides, and everything that it must not forget. */
export interface Core {
  readonly machine: StateMachine
  readonly outbox: Outbox
  readonly forwarder: Forwarder
  readonly desk: AlarmDesk
  /** Where publishes go in. */
  readonly acceptor: Ingest
  readonly failover: Failover | null
  /** Whether the own clock can be believed. */
  readonly watch: ClockWatch
  /** Sessions with the other gateways begin; without it there are none. */
  meetPeers(host: PeerHost): void
  /** Takes no more, answers what is under way, closes the store. */
  stop(): Promise<void>
}

/**
 * Puts the core together and starts it. The order is the way of a reading, from its end: what takes from a part is there
 * before what feeds it, and goes after it.
 *
 * @throws OperatorError when only a person can mend it: a damaged or foreign outbox
 */
export async function startCore(settings: CoreSettings, world: CoreWorld): Promise<Core> {
  const { clock, random, log, count } = world
  const { site, gateway, ingest } = settings

  const machine = new StateMachine({ dedupeWindow: ingest.dedupe.window, maxSeries: ingest.maxSeries, gateway })
  const unreleased = new Unreleased((name, value) => outbox.attach(name, value))
  const narrated = outboxLog(log)
  const outbox = await Outbox.open({
    disk: world.disk,
    dir: settings.dataDir,
    owner: { site, gateway },
    settings: settings.outbox,
    clock,
    random,
    keeper: keeperOf(machine, unreleased, clock),
    events: {
      ...narrated,
      full(reason) {
        narrated.full(reason)
        // Nobody was listened to: that is no silence of the devices.
        if (reason === null) machine.resume(clock.now())
      },
    },
  })
  const tell = (events: readonly ThresholdEvent[]): void => {
    for (const event of events) {
      outbox.append('events', JSON.stringify(event))
      count('events')
    }
  }
  const { peers } = world
  const failover =
    settings.failover && peers
      ? await Failover.open({
          settings: settings.failover,
          dialer: peers,
          outbox,
          machine,
          clock,
          random,
          events: failoverLog(log),
          count,
          tell,
        })
      : null
  const journal = failover ? failover.journal : outbox

  const watch = new ClockWatch({
    clock,
    maxFuture: ingest.maxFuture,
    lastCommit: outbox.lastCommit,
    changed: (behind) => clockLog(log, behind),
  })
  watch.look()
  const forwarder = new Forwarder({
    dialer: hearCentre(world.dialer, (at) => watch.centreSaid(at)),
    lane: (lane) => outbox.lane(lane),
    latest: function* () {
      for (const reading of machine.lastReadings()) yield encodeLine(reading)
    },
    settings: settings.forwarder,
    clock,
    random,
    events: forwardingLog(log),
    overtaken: (lost, end) => tell(machine.settle(end, clock.now(), lost)),
    ...(failover && { clearance: failover.clearance }),
  })
  forwarder.start()

  const desk = new AlarmDesk({ machine, journal, clock, count, rulesChanged: () => failover?.rulesChanged() })
  desk.start()
  const topics = compileTopics({ site, templates: ingest.topics, local: ingest.localTopics })
  const acceptor = new Ingest({
    topics,
    limits: ingest,
    clock: watch,
    admission: ingest,
    machine,
    journal,
    unreleased,
    heard: world.heard,
    count,
  })
  return {
    machine,
    outbox,
    forwarder,
    desk,
    acceptor,
    failover,
    watch,
    meetPeers: (host) =>
      failover?.start(host, (origin, stoodDown) => forwarder.carry(origin, { ...forwardingLog(log), stoodDown })),
    async stop() {
      desk.stop()
      await failover?.stop()
      await forwarder.stop()
      await outbox
        .close()
        .catch((error: unknown) => log.error({ error: describeError(error) }, 'the outbox did not close'))
    },
  }
}
