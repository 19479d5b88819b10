import type { Bytes, Millis } from '../../sync/contract/index.ts'

/** One way of a connection through the proxy; the client is whoever dialled the proxy. */
export type Direction = 'toServer' | 'toClient'

/**
 * What can be wrong with a network, as long as it is:
 * - `cut`: connections are reset, new ones refused: by a reset right after they are accepted, or (`not-listening`) because
 *   nothing listens on the port any more, which gives the port away to whoever asks for it meanwhile;
 * - `black-hole`: everything is accepted, nothing arrives, nobody is told, as behind a router that lost its uplink;
 * - `half-open`: the same in one direction only;
 * - `swallow-messages`: the server's messages (JetStream acks among them; PUBACKs in MQTT) are taken out of the stream of protocol
 *   frames, keep-alives and handshakes pass: the connection looks healthy, acknowledgements never come. Needs the proxy's `protocol`;
 * - `latency`: every byte is late by `delay`, give or take `jitter`, in both directions;
 * - `bandwidth`: not more than so many bytes a second in each direction, all connections together.
 */
export type Fault =
  | { kind: 'cut'; refuse?: 'reset' | 'not-listening' }
  | { kind: 'black-hole' }
  | { kind: 'half-open'; swallow: Direction }
  | { kind: 'swallow-messages' }
  | { kind: 'latency'; delay: Millis; jitter?: Millis }
  | { kind: 'bandwidth'; bytesPerSecond: Bytes }

/** What becomes of the bytes of one direction. */
export type Passage = 'pass' | 'swallow' | 'swallow-messages'

/** The state of the network that all active faults make together. */
export interface Conditions {
  connections: 'accept' | 'reset' | 'refuse'
  /** New connections are accepted, but the server never hears of them. */
  unreachable: boolean
  passage: Readonly<Record<Direction, Passage>>
  delay: Millis
  jitter: Millis
  /** Infinity = as fast as the machine. */
  bytesPerSecond: Bytes
}

export const HEALTHY: Conditions = {
  connections: 'accept',
  unreachable: false,
  passage: { toServer: 'pass', toClient: 'pass' },
  delay: 0,
  jitter: 0,
  bytesPerSecond: Number.POSITIVE_INFINITY,
}

/** Faults add up: delays add, the narrowest bandwidth counts, swallowing everything beats swallowing some. */
export function conditionsOf(faults: Iterable<Fault>): Conditions {
  let conditions = HEALTHY
  for (const fault of faults) conditions = worsen(conditions, fault)
  return conditions
}

function worsen(now: Conditions, fault: Fault): Conditions {
  switch (fault.kind) {
    case 'cut': {
      const refuse = fault.refuse === 'not-listening' || now.connections === 'refuse'
      return { ...now, connections: refuse ? 'refuse' : 'reset' }
    }
    case 'black-hole':
      return { ...now, unreachable: true, passage: { toServer: 'swallow', toClient: 'swallow' } }
    case 'half-open':
      return { ...now, passage: { ...now.passage, [fault.swallow]: 'swallow' } }
    case 'swallow-messages':
      return now.passage.toClient === 'pass'
        ? { ...now, passage: { ...now.passage, toClient: 'swallow-messages' } }
        : now
    case 'latency':
      return { ...now, delay: now.delay + fault.delay, jitter: now.jitter + (fault.jitter ?? 0) }
    case 'bandwidth':
      return { ...now, bytesPerSecond: Math.min(now.bytesPerSecond, fault.bytesPerSecond) }
  }
}
