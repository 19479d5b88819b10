import { describeError } from '../sync/contract/index.ts'
import type { ForwardEvents } from '../sync/forward/index.ts'
import type { ClockBehind } from './clock/index.ts'
import type { FailoverEvents } from './failover/index.ts'
import type { Log } from './observe/index.ts'
import type { OutboxEvents } from './outbox/index.ts'

/** What the outbox does, as sentences for whoever reads the log. */
export function outboxLog(log: Log): OutboxEvents {
  return {
    damaged: (lane, gap) =>
      log.error(
        { lane, ...gap },
        'a block of the outbox was damaged; it is set aside and its records are declared missing',
      ),
    evicted: (lane, records) => log.warn({ lane, records }, 'telemetry was given up to stay within the bounds'),
    failed: (error) => log.error({ error: describeError(error) }, 'the outbox cannot write; nothing is acknowledged'),
    repaired: () =>
      log.error(
        {},
        'the store of the outbox was damaged and has been repaired; what is missing is declared as it is found',
      ),
    recovered: () => log.info({}, 'the outbox works again'),
    full: (reason) =>
      reason === null
        ? log.info({}, 'the outbox has room again')
        : log.warn({ reason }, 'the outbox is full; nothing is acknowledged until the centre takes some'),
    epochStarted: (epoch) =>
      log.error(
        { epoch },
        'the centre holds another history of this outbox (restored from a copy?); numbering starts anew',
      ),
  }
}

/** What is thought of the own clock, as a sentence. */
export function clockLog(log: Log, behind: ClockBehind | null): void {
  if (behind) log.warn({ ...behind }, 'the clock of this gateway is behind; readings that are ahead of it are stored')
  else log.info({}, 'the clock of this gateway is right, as far as is known')
}

/** What becomes of the other gateways, as sentences. */
export function failoverLog(log: Log): FailoverEvents {
  return {
    peerPresent: (peer) => log.info({ peer }, 'the other gateway is there'),
    peerAway: (peer, reason) => log.warn({ peer, reason }, 'the other gateway is away'),
    inStep: (peer) => log.info({ peer }, 'the other gateway has everything that is here'),
    tookOver: (origin) => log.warn({ origin }, 'taking over: its alarms are decided here, its readings forwarded'),
    stoodDown: (origin) => log.warn({ origin }, 'somebody else forwards its readings; not doing it here for a while'),
    gaveBack: (origin) => log.info({ origin }, 'the take-over has ended'),
    // Of every pack, while each of two fences the other one.
    filled: (origin, from, count) => log.debug({ origin, from, count }, 'readings of it came back from the centre'),
    troubled: (what, error) => log.warn({ what, error: describeError(error) }, 'failover failed; trying again'),
  }
}

/** What the forwarder does, as sentences. */
export function forwardingLog(log: Log): ForwardEvents {
  return {
    linkUp: () => log.info({}, 'the link to the centre is up'),
    linkDown: (reason) => log.warn({ reason }, 'the link to the centre is down; readings are buffered'),
    stored: (lane, records, bytes, roundTrip) => log.debug({ lane, records, bytes, roundTrip }, 'stored centrally'),
    rewound: (lane, from, why) =>
      log.error({ lane, from, why }, 'the centre has less than it acknowledged; sending again what is retained'),
    declared: (lane, gap) => log.warn({ lane, ...gap }, 'a hole was declared to the centre'),
    rival: (lane, epoch) =>
      log.error({ lane, epoch }, 'another gateway forwards under the same site and gateway name; give each its own'),
    stoodDown: (lane, reason) => log.error({ lane, reason }, 'this gateway does not forward this lane any more'),
    troubled: (lane, error) => log.warn({ lane, error: describeError(error) }, 'forwarding failed; trying again'),
  }
}
