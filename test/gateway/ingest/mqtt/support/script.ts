import { fc } from '@fast-check/vitest'
import type { ConnectOptions } from './packets.ts'

/** What raw clients do to a server, as data: it can be played more than once. */

type QoS = 0 | 1 | 2

export interface Publish {
  kind: 'publish'
  topic: string
  qos: QoS
  retain: boolean
  /** For QoS 0 it says nothing. */
  dup: boolean
  id: number
  /** Of the payload, which begins with a text that is unique in its script. */
  size: number
}

export type Frame =
  | Publish
  | { kind: 'ping' }
  | { kind: 'subscribe'; filter: string; qos: QoS }
  | { kind: 'unsubscribe'; filter: string }
  | { kind: 'release'; id: number }

/** How a connection begins: CONNECT, and what comes in one chunk with it. */
export interface Opening {
  connect: ConnectOptions
  eager: Frame[]
}

export type End = 'disconnect' | 'close' | 'reset' | 'takeover' | 'malformed' | 'refusal'

export type Step =
  /** Each number cuts the bytes somewhere: within a frame, or between two. */
  | { kind: 'send'; client: number; frames: Frame[]; cuts: number[] }
  /** The acceptor answers up to so many publishes, the oldest first, in one go. */
  | { kind: 'answer'; most: number }
  /** A subscriber answers everything that it has been sent. */
  | { kind: 'receive'; client: number }
  /** Publishes, each in a chunk of its own, and before the acceptor has answered them all, the end of the connection. */
  | { kind: 'end'; client: number; how: End; publishes: Publish[]; malformed: number; next: Opening }

export interface Script {
  openings: Opening[]
  /** In order, and when nothing is with the acceptor that came before: SUBSCRIBE and answers to it are not overtaken. */
  steps: Step[]
  /** When the acceptor answers: before `accept` returns, in the next turn of the event loop, or as the script says. */
  answers: 'at once' | 'next turn' | 'as told'
  /** The server is closed with publishes under way, which are answered then; otherwise they are answered before. */
  closesBusy: boolean
  /** The packet identifier before the first that the server gives. */
  lastId: number
  maxInflightBytes: number
}

export const CLIENTS = 3

const TOPICS = ['sensors/a/t', 'sensors/ä/t', 'local/x', 'unknown', '$SYS/x', '$tidegate/x', '$other/x']
const FILTERS = ['#', '+/x', 'sensors/+/t', 'sensors/a/t', 'local/x', '$SYS/#', '$other/#']
/** Few, so that they come again; both of their bytes matter. */
const IDS = [1, 2, 0x0100, 0x1234, 0xffff]

/** Breaches of MQTT 3.1.1, each of which ends a connection. */
export const MALFORMED: readonly Buffer[] = [
  // QoS 3; DUP with QoS 0; packet identifier 0; a wildcard, and no topic at all.
  Buffer.from([0x36, 7, 0, 1, 0x61, 0, 1, 0x78, 0x79]),
  Buffer.from([0x38, 4, 0, 1, 0x61, 0x78]),
  Buffer.from([0x32, 6, 0, 1, 0x61, 0, 0, 0x78]),
  Buffer.from([0x32, 7, 0, 2, 0x61, 0x23, 0, 1, 0x78]),
  Buffer.from([0x30, 3, 0, 0, 0x78]),
  // The topic is longer than its packet; the packet is longer than allowed; its length never ends.
  Buffer.from([0x30, 3, 0, 9, 0x61]),
  Buffer.from([0x32, 0xff, 0xff, 0xff, 0x7f, 0, 1]),
  Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x01]),
  // A packet of the server's; flags of none; a second CONNECT.
  Buffer.from([0x20, 2, 0, 0]),
  Buffer.from([0xc1, 0]),
  Buffer.from([0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 60, 0, 1, 0x61]),
]

const qos = fc.constantFrom<QoS>(0, 1, 2)

const publish: fc.Arbitrary<Publish> = fc.record({
  kind: fc.constant('publish'),
  topic: fc.constantFrom(...TOPICS),
  // Mostly what goes the direct way, or there would be no change between the ways.
  qos: fc.constantFrom<QoS>(0, 1, 1, 1, 2),
  retain: fc.constantFrom(false, false, false, true),
  dup: fc.boolean(),
  id: fc.constantFrom(...IDS),
  size: fc.constantFrom(0, 0, 20, 150, 300),
})

const frame: fc.Arbitrary<Frame> = fc.oneof(
  { arbitrary: publish, weight: 8 },
  { arbitrary: fc.constant<Frame>({ kind: 'ping' }), weight: 1 },
  {
    arbitrary: fc.record({ kind: fc.constant<'subscribe'>('subscribe'), filter: fc.constantFrom(...FILTERS), qos }),
    weight: 1,
  },
  {
    arbitrary: fc.record({ kind: fc.constant<'unsubscribe'>('unsubscribe'), filter: fc.constantFrom(...FILTERS) }),
    weight: 1,
  },
  { arbitrary: fc.record({ kind: fc.constant<'release'>('release'), id: fc.constantFrom(...IDS) }), weight: 1 },
)

const will = fc.record({
  topic: fc.constantFrom('sensors/a/t', 'local/x', '$SYS/x'),
  payload: fc.constant('will'),
  qos,
  retain: fc.boolean(),
})

const opening: fc.Arbitrary<Opening> = fc.record({
  connect: fc.record(
    { clean: fc.boolean(), keepalive: fc.constantFrom(0, 60, 65_535), will },
    { requiredKeys: ['clean', 'keepalive'] },
  ),
  eager: fc.oneof(
    { arbitrary: fc.constant<Frame[]>([]), weight: 2 },
    { arbitrary: fc.array(frame, { maxLength: 3 }), weight: 1 },
  ),
})

const client = fc.nat(CLIENTS - 1)

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    arbitrary: fc.record({
      kind: fc.constant<'send'>('send'),
      client,
      frames: fc.array(frame, { minLength: 1, maxLength: 6 }),
      cuts: fc.array(fc.nat(2_000), { maxLength: 6 }),
    }),
    weight: 6,
  },
  { arbitrary: fc.record({ kind: fc.constant<'answer'>('answer'), most: fc.integer({ min: 1, max: 8 }) }), weight: 3 },
  { arbitrary: fc.record({ kind: fc.constant<'receive'>('receive'), client }), weight: 1 },
  {
    arbitrary: fc.record({
      kind: fc.constant<'end'>('end'),
      client,
      how: fc.constantFrom<End>('disconnect', 'close', 'reset', 'takeover', 'malformed', 'refusal'),
      publishes: fc.array(publish, { maxLength: 3 }),
      malformed: fc.nat(MALFORMED.length - 1),
      next: opening,
    }),
    weight: 1,
  },
)

export const script: fc.Arbitrary<Script> = fc.record({
  openings: fc.array(opening, { minLength: CLIENTS, maxLength: CLIENTS }),
  steps: fc.array(step, { minLength: 1, maxLength: 25 }),
  answers: fc.constantFrom<Script['answers']>('as told', 'as told', 'next turn', 'at once'),
  closesBusy: fc.boolean(),
  lastId: fc.constantFrom(1, 0x1233, 65_533),
  maxInflightBytes: fc.constantFrom(64 * 1024, 64 * 1024, 2_000),
})
