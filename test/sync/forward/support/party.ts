import { type Lane, RetryableError } from '../../../../sync/contract/index.ts'
import {
  type Clearance,
  decodePackBody,
  decodePackFacts,
  type ForwardEvents,
  Forwarder,
  type ForwarderSettings,
} from '../../../../sync/forward/index.ts'
import type { CentralDialer, CentralSession, LinkFaults, SimulatedCentre } from '../../../../sync/link/index.ts'
import { streamPlans } from '../../../../sync/provision/index.ts'
import type { Random, SimulatedClock } from '../../../../sync/runtime/index.ts'
import { ToyLane } from './toy-lane.ts'

export const SETTINGS: ForwarderSettings = {
  site: 'site',
  gateway: 'gw',
  pack: { minBytes: 60, maxBytes: 400, target: 200, compress: 'none', linger: 5, ackTimeout: 1000 },
  pace: { bytesPerSecond: Number.POSITIVE_INFINITY, packsPerSecond: Number.POSITIVE_INFINITY, jitter: 20 },
  breaker: { failures: 5, cooldown: 500 },
  retry: { min: 20, max: 300 },
  stallAfter: 60_000,
  provision: streamPlans({ replicas: 1, storage: 'memory', maxBytes: -1, maxAge: 0 }),
}

/** The way of one gateway to the centre, which can be cut for it alone. */
export class Way implements CentralDialer {
  readonly #centre: SimulatedCentre
  readonly #sessions = new Set<CentralSession>()
  open = true

  constructor(centre: SimulatedCentre) {
    this.#centre = centre
  }

  async dial(signal: AbortSignal): Promise<CentralSession> {
    if (!this.open) throw new RetryableError('LINK_DIAL_FAILED', 'cut')
    const session = await this.#centre.dial(signal)
    this.#sessions.add(session)
    return session
  }

  cut(): void {
    this.open = false
    for (const session of this.#sessions) void session.close()
    this.#sessions.clear()
  }
}

/** A gateway's forwarder on toy lanes. */
export function forwarderOf(
  dialer: CentralDialer,
  clock: SimulatedClock,
  random: Random,
  parts: {
    gateway: string
    lanes: Partial<Record<Lane, ToyLane>>
    clearance?: Clearance
    events?: Partial<ForwardEvents>
  },
): Forwarder {
  const empty = {
    readings: new ToyLane('readings'),
    events: new ToyLane('events'),
    deadletters: new ToyLane('deadletters'),
  }
  const forwarder = new Forwarder({
    dialer,
    lane: (lane) => parts.lanes[lane] ?? empty[lane],
    latest: () => [],
    settings: { ...SETTINGS, gateway: parts.gateway },
    clock,
    random,
    events: { ...SILENT, ...parts.events },
    ...(parts.clearance ? { clearance: parts.clearance } : {}),
  })
  forwarder.start()
  return forwarder
}

export const SILENT: ForwardEvents = {
  linkUp() {},
  linkDown() {},
  stored() {},
  rewound() {},
  declared() {},
  rival() {},
  stoodDown() {},
  troubled() {},
}

export const someFaults = (random: Random): LinkFaults => ({
  loseRequest: random.next() * 0.2,
  loseAnswer: random.next() * 0.3,
  disconnect: random.next() * 0.15,
  staleRead: random.next() * 0.3,
  late: random.next() * 0.2,
})

export async function done(clock: SimulatedClock, ...promises: Promise<unknown>[]): Promise<void> {
  let over = false
  void Promise.allSettled(promises).then(() => {
    over = true
  })
  await clock.runUntil(() => over, 120_000)
}

export interface StoredPack {
  sequence: number
  epoch: string
  from: number
  to: number
  term: number
  lines: string[]
}

/** The packs of a chain in order, without fences. */
export async function packsOf(centre: SimulatedCentre, subject: string, stream = 'READINGS'): Promise<StoredPack[]> {
  const packs: StoredPack[] = []
  for (const { headers, sequence, body, subject: at } of centre.messages(stream)) {
    if (at !== subject || headers.has('Tidegate-Fence')) continue
    const facts = decodePackFacts((name) => headers.get(name))
    const { epoch, from, to, term } = facts
    packs.push({ sequence, epoch, from, to, term, lines: await decodePackBody(facts, body, undefined) })
  }
  return packs
}
