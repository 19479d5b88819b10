import {
  type Bytes,
  LANES,
  type Lane,
  type LineBuffer,
  type Millis,
  type Offset,
  OperatorError,
  RetryableError,
  StopAcceptingError,
} from '../../sync/contract/index.ts'
import type { Gap, LaneSource } from '../../sync/forward/index.ts'
import { pause } from '../../sync/runtime/index.ts'
import type { DurableCallback } from './group-commit.ts'
import { layout } from './identity.ts'
import { namedKey, namedRange, nameOf } from './keys.ts'
import { decodeNote, encodeNote } from './note.ts'
import { type LaneBlock, Opening, type OpeningParts } from './opening.ts'
import { type BlockRun, LaneReader } from './reader.ts'
import type { Replica } from './replica.ts'
import { epochOf, ReplicaAccess } from './replica-access.ts'
import { Space, type SpaceSettings } from './space.ts'
import { type BoundSettings, storedBytes, Upkeep } from './upkeep.ts'

export interface OutboxSettings extends BoundSettings, SpaceSettings {
  block: OpeningParts['settings']['block']
  compression: boolean
}

/** What the outbox tells the world about itself; every call is for people and metrics, none needs an answer. */
export interface OutboxEvents {
  /** A block could not be read; its records are declared missing. */
  damaged(lane: Lane, gap: Gap): void
  /** Telemetry was given up because of the bounds. */
  evicted(lane: Lane, records: number): void
  /** Writing failed; nothing is acknowledged until `recovered`. */
  failed(error: unknown): void
  recovered(): void
  /** The store was damaged so that nothing could be written; what can be read was saved. `recovered` follows. */
  repaired(): void
  /** The bounds, or the disk, are reached (or no longer). */
  full(reason: FullReason | null): void
  /** The centre holds another history: records are numbered under a new epoch from here on. */
  epochStarted(epoch: string): void
}

export type FullReason = 'bound' | 'disk'

/** Numbers of one lane since its outbox was made; they outlive restarts because they are read off the offsets. */
export interface LaneStatus {
  /** Records ever made durable. */
  accepted: number
  /** Records that the centre has, be it from another gateway. */
  forwarded: number
  /** Records waiting for the centre. */
  pending: number
  /** About how many bytes those are. */
  pendingBytes: Bytes
  /** Records declared missing: given up, or damaged. */
  missing: number
}

export interface OutboxStatus {
  state: 'open' | 'full' | 'failed' | 'closed'
  full: FullReason | null
  epoch: string
  storedBytes: Bytes
  lanes: Record<Lane, LaneStatus>
}

export interface OutboxParts extends OpeningParts {
  settings: OutboxSettings
  events: OutboxEvents
}

const UPKEEP_EVERY: Millis = 1000
const REOPEN_DELAY: Millis = 500
/** An outbox that rejects, once full, accepts again only this much below its bound. */
const HYSTERESIS = 0.97
/** So far beyond the bound nothing is accepted, although upkeep is about to give something up. */
const EVICTION_MARGIN = 1.1

/**
 * Durable queues between ingest and the forwarder.
 *
 *     open <----> full     bounds or free disk reached: refuses appends, goes on forwarding; upkeep decides
 *       |           |
 *       +--error----+--> failed --closed, reopened, rebuilt--> open or full
 *       |                   |
 *       +------close()------+--> closed
 *
 * While `failed`, nothing is acknowledged and what was gathered is forgotten: its senders were told no and send again.
 * The state machine is rebuilt from what is really on disk.
 */
export class Outbox {
  readonly #parts: OutboxParts
  readonly #space: Space
  readonly #upkeep: Upkeep
  readonly #readers: Record<Lane, LaneReader>
  #opening: Opening
  #state: 'open' | 'failed' | 'closed' = 'open'
  #full: FullReason | null = null
  /** Bytes of blocks as of the last round of upkeep, and how many had ever been written then. */
  #measured: { stored: Bytes; written: Bytes } = { stored: 0, written: 0 }
  /** Resolves when a store is open again; replaced while reopening. */
  #ready: Promise<void> = Promise.resolve()
  #stopTimer: () => void = () => {}
  #round: Promise<void> | null = null
  readonly #closing = new AbortController()
  #closed: Promise<void> | null = null
  #limit: Offset = Number.POSITIVE_INFINITY
  readonly #blockListeners = new Set<(blocks: readonly LaneBlock[]) => void>()
  readonly #replicaReaders = new Map<string, Record<Lane, LaneReader>>()

  private constructor(parts: OutboxParts, space: Space, opening: Opening) {
    this.#parts = parts
    this.#space = space
    this.#upkeep = new Upkeep(parts.settings)
    this.#opening = opening
    const reader = (lane: Lane): LaneReader => new LaneReader(lane, this.#readerHost(lane))
    this.#readers = { readings: reader('readings'), events: reader('events'), deadletters: reader('deadletters') }
  }

  /**
   * Opens (or makes) the outbox in `dir` and rebuilds the state machine through `keeper`. Takes a time that depends on
   * neither backlog nor history.
   *
   * @throws OperatorError see `openIdentified`
   */
  static async open(parts: OutboxParts): Promise<Outbox> {
    await parts.disk.makeFolder(parts.dir)
    const space = await Space.around(parts.disk, parts.dir, parts.settings)
    const opening = await openWithRoom(parts, space)
    const outbox = new Outbox(parts, space, opening)
    await outbox.#take(opening)
    return outbox
  }

  /** False while nothing may be appended or acknowledged. */
  get accepting(): boolean {
    return this.#state === 'open' && this.#full === null && this.#closed === null
  }

  /** Why nothing is accepted right now. */
  refusal(): StopAcceptingError {
    if (this.#closed !== null) return new StopAcceptingError('OUTBOX_CLOSED', 'the outbox is closed')
    if (this.#state === 'failed')
      return new StopAcceptingError('OUTBOX_FAILED', 'the outbox cannot write right now; it is being opened anew')
    if (this.#full === 'disk')
      return new StopAcceptingError('DISK_FULL', 'the disk is nearly full; free space, or lower outbox.maxBytes')
    return new StopAcceptingError(
      'OUTBOX_FULL',
      'the outbox has reached outbox.maxBytes; the centre must take some first',
    )
  }

  /** Puts one record (an NDJSON line without newline) behind the lane's others; durable when `whenDurable` says so. */
  append(lane: Lane, line: string): Offset {
    if (this.#state !== 'open' || this.#closed !== null) throw this.refusal()
    return this.#opening.append(lane, line)
  }

  /**
   * The same without a string: where the next record is to be written, newline included, with room for `most` bytes. It is there once
   * `appendReserved` is called, before anything else is asked of the outbox.
   */
  reserve(lane: Lane, most: Bytes): LineBuffer {
    if (this.#state !== 'open' || this.#closed !== null) throw this.refusal()
    return this.#opening.reserve(lane, most)
  }

  appendReserved(lane: Lane): Offset {
    return this.#opening.appendReserved(lane)
  }

  /** Tells commits apart: what is appended while it is the same becomes durable together, or not at all. */
  get commit(): symbol {
    return this.#opening.nextCommit
  }

  /** Stores (or, with null, deletes) something of another part in the same commit as the records appended so far. */
  attach(name: string, value: Buffer | null): void {
    const key = namedKey('q', name)
    this.#opening.attach([value ? { type: 'put', key, value } : { type: 'del', key }])
  }

  /** Calls back, in the order of the calls, when everything appended (and attached) so far is durable. */
  whenDurable(callback: DurableCallback): void {
    this.#opening.whenDurable(callback)
  }

  /** The lane as a forwarder sees it. */
  lane(lane: Lane): LaneSource {
    return this.#readers[lane]
  }

  /** Own readings from `limit` on are not shown to the forwarder yet, durable or not. */
  holdBack(limit: Offset): void {
    const more = limit > this.#limit
    this.#limit = limit
    if (more) this.#readers.readings.grew()
  }

  /** Declares own readings missing because the centre gets them from elsewhere; durable with the next commit. */
  declareRepeated(offset: Offset): void {
    const { ops } = this.#opening.lanes.readings.declare({ from: offset, to: offset, reason: 'repeated' })
    this.#opening.attach(ops)
  }

  /** One past the newest own record, durable or not. */
  next(lane: Lane): Offset {
    return this.#opening.lanes[lane].next
  }

  /** One past the newest own record on disk, whether it may leave yet or not. */
  durable(lane: Lane): Offset {
    return this.#opening.lanes[lane].durable
  }

  /** Whole blocks of an own lane, see `LaneReader.blocks`. */
  blocks(lane: Lane, from: Offset, maxBytes: Bytes): Promise<BlockRun> {
    return this.#readers[lane].blocks(from, maxBytes)
  }

  /** Calls back with the blocks of each commit once they are durable; the returned function ends it. */
  onBlocks(listener: (blocks: readonly LaneBlock[]) => void): () => void {
    this.#blockListeners.add(listener)
    return () => this.#blockListeners.delete(listener)
  }

  /** Origins of which there is a replica: `gateway/epoch`. */
  get replicas(): readonly string[] {
    return [...this.#opening.replicas.keys()]
  }

  /** What is here of another gateway's lanes; a new one begins at 0. */
  async replica(origin: string): Promise<ReplicaAccess> {
    await this.#opening.openReplica(origin)
    const known = this.#replicaReaders.get(origin)
    const reader = (lane: Lane): LaneReader => new LaneReader(lane, this.#replicaHost(origin, lane))
    const readers = known ?? {
      readings: reader('readings'),
      events: reader('events'),
      deadletters: reader('deadletters'),
    }
    this.#replicaReaders.set(origin, readers)
    return new ReplicaAccess(origin, readers, () => this.#opening)
  }

  async dropReplica(origin: string): Promise<void> {
    this.#replicaReaders.delete(origin)
    await this.#opening.dropReplica(origin)
  }

  /** Stores (or, with null, deletes) what is known of a reading with a copy elsewhere, in the next commit. */
  noteTwin(name: string, value: unknown): void {
    const key = namedKey('t', name)
    this.#opening.attach([value === null ? { type: 'del', key } : { type: 'put', key, value: encodeNote(value) }])
  }

  /** All that was stored by `noteTwin`. */
  async twins(): Promise<Map<string, unknown>> {
    const found = new Map<string, unknown>()
    for await (const [key, value] of this.#opening.store.entries(namedRange('t'))) {
      const note = decodeNote<unknown>(value)
      if (note !== null) found.set(nameOf(key), note)
    }
    return found
  }

  /** When the newest block was committed that was there before this process; null when there was none. */
  get lastCommit(): Millis | null {
    return this.#opening.lastCommit
  }

  status(): OutboxStatus {
    const { lanes, epoch } = this.#opening
    const laneStatus = (lane: Lane): LaneStatus => {
      const { durable, pending, pendingBytes, missing } = lanes[lane]
      return { accepted: durable, forwarded: durable - pending - missing, pending, pendingBytes, missing }
    }
    return {
      state: this.#state === 'open' && this.#full ? 'full' : this.#state,
      full: this.#full,
      epoch,
      storedBytes: storedBytes(lanes),
      lanes: { readings: laneStatus('readings'), events: laneStatus('events'), deadletters: laneStatus('deadletters') },
    }
  }

  /** Makes what was appended durable, stores the whole state machine, and closes. Appends after it are refused. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#closing.abort()
    this.#stopTimer()
    await this.#round
    await this.#ready
    try {
      // A full snapshot costs a moment now and saves the replay at the next start.
      if (this.#state === 'open') {
        while (await this.#opening.snapshotSome());
        await this.#opening.commit([])
      }
    } finally {
      await this.#ready
      this.#state = 'closed'
      await this.#opening.close('it is being stopped')
    }
  }

  /** Goes on with a store that was just opened. */
  async #take(opening: Opening): Promise<void> {
    this.#opening = opening
    opening.events = {
      committed: (grown, blocks) => {
        for (const lane of grown) this.#readers[lane].grew()
        for (const listener of this.#blockListeners) listener(blocks)
        this.#watchBound()
      },
      replicated: ({ origin }, grown) => {
        for (const lane of grown) this.#replicaReaders.get(origin)?.[lane].grew()
      },
      failed: (error) => this.#fail(opening, error),
    }
    try {
      await this.#space.keepReserve()
      await this.#judge()
      // Fails if a write failed meanwhile.
      await opening.commit([])
    } catch (error) {
      await opening.close('it could not be taken up')
      throw error
    }
    this.#state = 'open'
    for (const [lane, gap] of opening.damaged) this.#parts.events.damaged(lane, gap)
    // With little room, the sooner something is trimmed the better.
    if (this.#full) this.#startRound()
    else this.#scheduleRound()
  }

  #readerHost(lane: Lane): ConstructorParameters<typeof LaneReader>[1] {
    const ready = (): boolean => this.#state === 'open'
    return {
      epoch: () => this.#opening.epoch,
      limit: () => (lane === 'readings' ? this.#limit : Number.POSITIVE_INFINITY),
      hasLineage: () => true,
      get ready() {
        return ready()
      },
      store: async () => {
        while (this.#state === 'failed' && !this.#closing.signal.aborted) await this.#ready
        if (this.#state !== 'open') throw this.refusal()
        return this.#opening.store
      },
      state: () => this.#opening.lanes[lane],
      attach: (ops) => this.#opening.attach(ops),
      damaged: (of, gap) => this.#parts.events.damaged(of, gap),
      startEpoch: async () => {
        await this.#opening.startEpoch()
        this.#parts.events.epochStarted(this.#opening.epoch)
      },
    }
  }

  #replicaHost(origin: string, lane: Lane): ConstructorParameters<typeof LaneReader>[1] {
    const own = this.#readerHost(lane)
    const replica = (): Replica => {
      const found = this.#opening.replicas.get(origin)
      if (!found) throw new StopAcceptingError('REPLICA_GONE', `there is no replica of ${origin} any more`)
      return found
    }
    return {
      epoch: () => epochOf(origin),
      limit: () => Number.POSITIVE_INFINITY,
      hasLineage: () => !replica().patched,
      get ready() {
        return own.ready
      },
      store: async () => replica().space(await own.store()),
      state: () => replica().lanes[lane],
      attach: (ops) => this.#opening.attach(replica().ops(ops)),
      damaged: own.damaged,
      // Only its own gateway can number on: the copy has nothing that the centre does not have.
      startEpoch: () =>
        Promise.reject(new RetryableError('REPLICA_FORKED', `the centre has another ${lane} of ${origin}`)),
    }
  }

  #scheduleRound(): void {
    this.#stopTimer()
    if (this.#state === 'open' && !this.#closing.signal.aborted)
      this.#stopTimer = this.#parts.clock.after(UPKEEP_EVERY, () => this.#startRound())
  }

  /** One round of upkeep, unless one is under way. */
  #startRound(): void {
    if (this.#round) return
    this.#stopTimer()
    const opening = this.#opening
    this.#round = this.#runRound(opening)
      .catch((error: unknown) => this.#fail(opening, error))
      .finally(() => {
        this.#round = null
        this.#scheduleRound()
      })
  }

  async #runRound(opening: Opening): Promise<void> {
    if (this.#state !== 'open') return
    const { lanes, store } = opening
    const host = {
      lanes,
      store,
      get replayFrom() {
        return opening.replayFrom
      },
      commit: opening.commit.bind(opening),
      snapshotSome: opening.snapshotSome.bind(opening),
      evicted: this.#parts.events.evicted.bind(this.#parts.events),
    }
    await this.#upkeep.run(host, this.#parts.clock.now(), await this.#space.isShort())
    if (LANES.some((lane) => lanes[lane].cursorDirty)) await opening.commit([])
    await this.#space.keepReserve()
    await this.#judge()
  }

  /** Decides whether the outbox is full. */
  async #judge(): Promise<void> {
    const { maxBytes, whenFull } = this.#parts.settings
    const short = await this.#space.isShort()
    const { lanes } = this.#opening
    this.#measured = { stored: storedBytes(lanes), written: writtenBytes(lanes) }
    const bound = maxBytes * (this.#full === 'bound' && whenFull === 'reject' ? HYSTERESIS : 1)
    this.#setFull(short ? 'disk' : this.#measured.stored > bound ? 'bound' : null)
  }

  /** Between two rounds: a burst must not outrun the bound. */
  #watchBound(): void {
    const { maxBytes, whenFull } = this.#parts.settings
    const stored = this.#measured.stored + writtenBytes(this.#opening.lanes) - this.#measured.written
    if (stored <= maxBytes || this.#full !== null || this.#closing.signal.aborted) return
    if (whenFull === 'reject' || stored > maxBytes * EVICTION_MARGIN) this.#setFull('bound')
    this.#startRound()
  }

  #setFull(reason: FullReason | null): void {
    if (reason === this.#full) return
    this.#full = reason
    this.#parts.events.full(reason)
  }

  #fail(opening: Opening, error: unknown): void {
    if (opening !== this.#opening || this.#state !== 'open') return
    this.#state = 'failed'
    this.#parts.events.failed(error)
    this.#ready = this.#reopen(opening, error)
  }

  /** Closes and opens until it works: after a failed write LevelDB may refuse everything until it was reopened. */
  async #reopen(failed: Opening, cause: unknown): Promise<void> {
    const { clock, disk, dir, events } = this.#parts
    const { signal } = this.#closing
    await failed.close('a write failed').catch((error: unknown) => events.failed(error))
    await this.#round
    let damaged = isStoreDamage(cause)
    for (;;) {
      await pause(clock, REOPEN_DELAY, signal)
      if (signal.aborted) return
      try {
        if (damaged) {
          await disk.repairStore(layout.store(dir))
          events.repaired()
        }
        const opening = await openWithRoom(this.#parts, this.#space)
        opening.adoptCursors(failed)
        await this.#take(opening)
        events.recovered()
        return
      } catch (error) {
        damaged = isStoreDamage(error)
        events.failed(error)
      }
    }
  }
}

/** Bytes ever written to the lanes. */
const writtenBytes = (lanes: Opening['lanes']): Bytes => LANES.reduce((sum, lane) => sum + lanes[lane].bytes, 0)

const isStoreDamage = (error: unknown): boolean => error instanceof OperatorError && error.code === 'STORE_DAMAGED'

/** Opening takes some space of its own; when the disk is full, the reserve gives it. */
async function openWithRoom(parts: OutboxParts, space: Space): Promise<Opening> {
  await space.makeRoom()
  try {
    return await Opening.open(parts)
  } catch (error) {
    if (error instanceof OperatorError || !(await space.giveUpReserve())) throw error
    return await Opening.open(parts)
  }
}
