import {
  type Bytes,
  byLane,
  describeError,
  LANES,
  type Lane,
  type Millis,
  type Offset,
  OperatorError,
  RetryableError,
} from '../../sync/contract/index.ts'
import type { Gap } from '../../sync/forward/index.ts'
import { Backoff, type Clock, pause, type Random } from '../../sync/runtime/index.ts'
import type { KnownSeries } from '../state/index.ts'
import { briefings } from './briefing.ts'
import type { PeerDialer, PeerSession } from './link/index.ts'
import {
  type Answer,
  type BlockPart,
  decodeAnswer,
  encodeMessage,
  type LanePosition,
  type LaneProgress,
  otherVersion,
  PROTOCOL_VERSION,
  type SharedRules,
} from './protocol.ts'

/** Why there is no session, where that is not the network's doing: what the peer said, or what this gateway says of it. */
export interface Refusal {
  /** As in `TidegateError`. */
  code: string
  message: string
}

/** A block of an own lane. */
interface OwnBlock {
  lane: Lane
  first: Offset
  count: number
  committedAt: Millis
  value: Buffer
}

/** What an uplink needs from the gateway around it. */
export interface UplinkHost {
  readonly site: string
  readonly gateway: string
  epoch(): string
  /** Where an own lane stands: durable records only. */
  position(lane: Lane): Promise<LanePosition>
  progress(lane: Lane): LaneProgress
  /** One past its newest durable record. */
  head(lane: Lane): Offset
  /** The running checksum of an own lane before `offset`; null when it can no longer be told. */
  lineageAt(lane: Lane, offset: Offset): Promise<number | null>
  blocks(
    lane: Lane,
    from: Offset,
    maxBytes: Bytes,
  ): Promise<{ blocks: readonly Omit<OwnBlock, 'lane'>[]; gaps: readonly Gap[]; next: Offset }>
  onBlocks(listener: (blocks: readonly OwnBlock[]) => void): () => void
  rules(): Record<string, SharedRules>
  /** All that is known of series and their alarms. */
  known(): Iterable<KnownSeries>
  /**
   * The peer has records under our epoch that we do not have: number on under a new one.
   *
   * @throws RetryableError `OWN_CHAIN_UNKNOWN` as long as it is not known how far the centre has the old one: that would go there again
   */
  startEpoch(): Promise<void>
}

export interface UplinkEvents {
  /** The peer answers; it is being sent what it lacks. */
  up(peer: string): void
  /** It has everything that there was. */
  inStep(peer: string): void
  stored(peer: string, answer: Extract<Answer, { kind: 'stored' }>): void
  down(peer: string, reason: string): void
}

export interface UplinkSettings {
  heartbeat: Millis
  /** A session that says nothing for this long is over. */
  awayAfter: Millis
  retry: { min: Millis; max: Millis }
}

interface Parts {
  peer: string
  dialer: PeerDialer
  host: UplinkHost
  settings: UplinkSettings
  clock: Clock
  random: Random
  events: UplinkEvents
}

/** Where a session goes on, and what the peer has to know to be missing before that. */
interface Start {
  start: Record<Lane, Offset>
  gaps: readonly { lane: Lane; gap: Gap }[]
}

/** What may be on its way to the peer. */
const WINDOW: Bytes = 4 * 1024 * 1024
const MESSAGE: Bytes = 256 * 1024
/** A replica that begins anew begins this far back, so that the peer knows the devices of late: the centre has all of that. */
const WARM_RECORDS = 20_000
/** In this order within a message: an event comes behind the reading that caused it. */
const ORDER: readonly Lane[] = ['readings', 'events', 'deadletters']

/**
 * Sends the own lanes to one peer, for as long as there is a gateway.
 *
 *     away --dialled, greeted--> catching up --has everything--> in step --session over--> away ...
 *
 * A session that is over is begun again from what the peer says that it has: nothing about the one before is remembered.
 */
export class Uplink {
  readonly #parts: Parts
  #wake: () => void = () => {}
  #live: OwnBlock[] = []
  #inStep = false
  #refusal: Refusal | null = null

  constructor(parts: Parts) {
    this.#parts = parts
  }

  get inStep(): boolean {
    return this.#inStep
  }

  /** How the newest attempt ended; null when that was no refusal, or it has not. */
  get refusal(): Refusal | null {
    return this.#refusal
  }

  /** Runs until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { peer, dialer, settings, clock, random, events } = this.#parts
    const backoff = new Backoff(settings.retry, random)
    while (!signal.aborted) {
      let reason: string
      try {
        const session = await dialer.dial(peer, signal)
        try {
          reason = await this.#serve(session, signal, () => {
            backoff.reset()
            events.inStep(peer)
          })
        } finally {
          await session.close()
        }
      } catch (error) {
        this.#refusal = null
        reason = describeError(error)
      }
      this.#inStep = false
      events.down(peer, reason)
      await pause(clock, backoff.next(), signal)
    }
  }

  /** Tells the peer of the own rule sets as they are now. */
  shareRules: () => void = () => {}

  /** Tells the peer to take over at once; resolves when it has heard, or is away. */
  leave: () => Promise<void> = async () => undefined

  /** Ends the session, for another one: with its hello, what was said by `leave` is over. */
  dialAnew: () => void = () => {}

  /** @param inStep called when the peer has everything for the first time: before that, a session may be over as soon as it begins */
  async #serve(session: PeerSession, stop: AbortSignal, inStep: () => void): Promise<string> {
    const { peer, host, settings, clock, events } = this.#parts
    const over = new AbortController()
    let reason = 'stopped'
    let refusal: Refusal | null = null
    const end = (why: string, refused: Refusal | null = null): void => {
      if (!over.signal.aborted) {
        reason = why
        refusal = refused
      }
      over.abort()
    }
    const stopped = (): void => end('stopped')
    stop.addEventListener('abort', stopped)
    void session.closed.then((error) => end(error ? describeError(error) : 'the connection was closed'))
    let heardAt = clock.monotonic()
    let welcome: (answer: Extract<Answer, { kind: 'welcome' }>) => void = () => {}
    const welcomed = new Promise<Extract<Answer, { kind: 'welcome' }>>((resolve) => {
      welcome = resolve
    })
    const stored = positions(() => 0)
    session.onMessage((bytes) => {
      heardAt = clock.monotonic()
      try {
        const answer = decodeAnswer(bytes)
        if (answer.kind === 'welcome') welcome(answer)
        else if (answer.kind === 'refused') {
          const { code, message } = answer
          end(`${peer} refused: ${message} (${code})`, { code, message })
        } else if (answer.kind === 'stored') {
          for (const lane of LANES) stored[lane] = answer.next[lane]
          events.stored(peer, answer)
          this.#wake()
        }
      } catch (error) {
        end(describeError(error))
      }
    })
    const beat = (): void => {
      if (over.signal.aborted) return
      if (clock.monotonic() - heardAt > settings.awayAfter) {
        end(`${peer} says nothing`)
        return
      }
      const lanes = byLane((lane) => host.progress(lane))
      session.send(encodeMessage({ kind: 'beat', lanes })).catch((error: unknown) => end(describeError(error)))
      stopBeat = clock.after(settings.heartbeat, beat)
    }
    let stopBeat = clock.after(settings.heartbeat, beat)
    const send = (message: Parameters<typeof encodeMessage>[0]): Promise<void> => {
      const sent = session.send(encodeMessage(message))
      sent.catch((error: unknown) => end(describeError(error)))
      return sent
    }
    try {
      const lanes = Object.fromEntries(
        await Promise.all(LANES.map(async (lane) => [lane, await host.position(lane)] as const)),
      ) as Record<Lane, LanePosition>
      const { site, gateway } = host
      await send({ kind: 'hello', version: PROTOCOL_VERSION, site, gateway, epoch: host.epoch(), lanes })
      const answer = await Promise.race([welcomed, aborted(over.signal)])
      if (answer === null) return reason
      const { start, gaps } = await this.#startAt(answer)
      if (gaps.length > 0) await send({ kind: 'blocks', blocks: [], gaps })
      this.shareRules = () => void send({ kind: 'rules', sets: host.rules() })
      this.leave = () => send({ kind: 'leaving' }).catch(() => undefined)
      this.dialAnew = () => end('it is dialled anew')
      this.#refusal = null
      events.up(peer)
      this.shareRules()
      await this.#stream(start, stored, send, answer.brief === true, inStep, over.signal)
    } catch (error) {
      end(describeError(error), error instanceof OperatorError ? { code: error.code, message: error.message } : null)
    } finally {
      this.#refusal = refusal
      stopBeat()
      this.shareRules = () => {}
      this.leave = async () => undefined
      this.dialAnew = () => {}
      stop.removeEventListener('abort', stopped)
      over.abort()
    }
    return reason
  }

  /** Where to go on for each lane, from what the peer has. */
  async #startAt({ version, have }: Extract<Answer, { kind: 'welcome' }>): Promise<Start> {
    const { peer, host } = this.#parts
    if (version !== PROTOCOL_VERSION) throw otherVersion(peer, version, host.gateway)
    const start = positions((lane) => {
      const { next, tail } = host.progress(lane)
      return Math.max(tail, next - (lane === 'deadletters' ? 0 : WARM_RECORDS))
    })
    for (const lane of have === null ? [] : LANES) {
      const there = have?.[lane] ?? { next: 0, lineage: null }
      const here = await host.position(lane)
      const lineage = there.next <= here.next ? await host.lineageAt(lane, there.next) : null
      const isOther = there.lineage !== null && lineage !== null && there.next > 0 && there.lineage !== lineage
      if (there.next > here.next || isOther) {
        await host.startEpoch()
        throw new RetryableError('OWN_FORKED', `${peer} has other ${lane} of this gateway than the gateway itself`)
      }
      start[lane] = Math.max(there.next, host.progress(lane).tail)
    }
    // What lies between is not here any more, or long in the stream: the copy goes on behind it.
    const gaps = LANES.flatMap((lane) => {
      const from = have?.[lane].next ?? 0
      return from < start[lane] ? [{ lane, gap: { from, to: start[lane] - 1, reason: 'trimmed' as const } }] : []
    })
    return { start, gaps }
  }

  /** Sends what the peer lacks, then what is new, until the session is over. */
  async #stream(
    sent: Record<Lane, Offset>,
    stored: Readonly<Record<Lane, Offset>>,
    send: (message: Parameters<typeof encodeMessage>[0]) => Promise<void>,
    brief: boolean,
    inStep: () => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { host } = this.#parts
    let underWay = 0
    let liveBytes = 0
    let toBrief = brief
    this.#live = []
    const stopListening = host.onBlocks((blocks) => {
      this.#live.push(...blocks)
      liveBytes += blocks.reduce((sum, { value }) => sum + value.length, 0)
      // A peer that is slow gets them from the disk: what waits for it must not fill the memory.
      if (liveBytes > WINDOW) {
        this.#live = []
        liveBytes = 0
      }
      this.#wake()
    })
    const sendParts = (blocks: readonly OwnBlock[], gaps: readonly { lane: Lane; gap: Gap }[]): void => {
      const bytes = blocks.reduce((sum, { value }) => sum + value.length, 256)
      underWay += bytes
      const parts = blocks.map(({ lane, value }): BlockPart => ({ lane, value }))
      send({ kind: 'blocks', blocks: parts, gaps }).then(
        () => {
          underWay -= bytes
          this.#wake()
        },
        () => undefined,
      )
      for (const { lane, first, count } of blocks) sent[lane] = Math.max(sent[lane], first + count)
    }
    try {
      while (!signal.aborted) {
        if (underWay >= WINDOW) {
          await this.#woken(signal)
          continue
        }
        const live = this.#live
        this.#live = []
        liveBytes = 0
        const fresh = live.filter(({ lane, first, count }) => first + count > sent[lane])
        if (fresh.length > 0 && goOn(fresh, sent)) {
          sendParts(inOrder(fresh), [])
          continue
        }
        const behind = LANES.filter((lane) => host.head(lane) > sent[lane])
        if (behind.length > 0) {
          await this.#catchUp(sent, sendParts)
          continue
        }
        if (toBrief) {
          toBrief = false
          for (const briefing of briefings(host.known())) await send({ kind: 'briefing', ...briefing })
          continue
        }
        const isStored = LANES.every((lane) => stored[lane] >= sent[lane])
        if (isStored && !this.#inStep) {
          this.#inStep = true
          inStep()
        }
        if (this.#live.length === 0) await this.#woken(signal)
      }
    } finally {
      stopListening()
      this.#live = []
    }
  }

  /** One message of what is on disk: blocks of all lanes in the order in which they were committed. */
  async #catchUp(
    sent: Record<Lane, Offset>,
    sendParts: (blocks: readonly OwnBlock[], gaps: readonly { lane: Lane; gap: Gap }[]) => void,
  ): Promise<void> {
    const { host } = this.#parts
    const runs = await Promise.all(
      ORDER.map(async (lane) => ({ lane, ...(await host.blocks(lane, sent[lane], MESSAGE)) })),
    )
    const [readings] = runs
    // An event must not come before the readings that led to it.
    const newest = readings && readings.next < host.head('readings') ? readings.blocks.at(-1)?.committedAt : undefined
    const upTo = newest ?? Number.POSITIVE_INFINITY
    const ready = runs.map((run) => {
      const blocks = run.blocks.filter(({ committedAt }) => committedAt <= upTo)
      return blocks.length === run.blocks.length ? run : { ...run, blocks, gaps: [], next: sent[run.lane] }
    })
    const blocks = ready.flatMap(({ lane, blocks }) => blocks.map((block) => ({ ...block, lane })))
    const gaps = ready.flatMap(({ lane, gaps }) => gaps.map((gap) => ({ lane, gap })))
    sendParts(blocks, gaps)
    for (const { lane, next } of ready) sent[lane] = Math.max(sent[lane], next)
  }

  #woken(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        signal.removeEventListener('abort', wake)
        this.#wake = () => {}
        resolve()
      }
      this.#wake = wake
      signal.addEventListener('abort', wake)
      if (signal.aborted) wake()
    })
  }
}

/** Whether the blocks follow what was sent, lane by lane, without a hole. */
function goOn(blocks: readonly OwnBlock[], sent: Readonly<Record<Lane, Offset>>): boolean {
  const at = { ...sent }
  for (const { lane, first, count } of blocks) {
    if (first !== at[lane]) return false
    at[lane] = first + count
  }
  return true
}

const inOrder = (blocks: readonly OwnBlock[]): OwnBlock[] =>
  ORDER.flatMap((lane) => blocks.filter((block) => block.lane === lane))

const positions = byLane<Offset>

function aborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(null)
    else signal.addEventListener('abort', () => resolve(null), { once: true })
  })
}
