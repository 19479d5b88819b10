import {
  type Bytes,
  describeError,
  LANES,
  type Lane,
  type Millis,
  type Offset,
  StopAcceptingError,
} from '../../sync/contract/index.ts'
import type { Gap, LaneSource } from '../../sync/forward/index.ts'
import { type Clock, pause, type Random } from '../../sync/runtime/index.ts'
import type { Disk, KeyValueStore, WriteOp } from '../ports/index.ts'
import { decodeBlock, skipLines } from './block.ts'
import { type CommitParts, type DurableCallback, GroupCommit } from './group-commit.ts'
import { type Identity, identityOp, layout, newEpoch, openIdentified } from './identity.ts'
import { namedKey, namedRange, nameOf, offsetOf, offsetRange } from './keys.ts'
import type { BlockLimits, LaneState } from './lane.ts'
import { loadLane } from './load.ts'
import { LaneReader } from './reader.ts'
import type { StateKeeper, StoredState } from './state-keeper.ts'
import { type BoundSettings, Upkeep } from './upkeep.ts'

export interface OutboxSettings extends BoundSettings {
  block: BlockLimits
  /** Below this much free disk nothing more is accepted. */
  minFree: Bytes
  /** Size of a file that is given up when the disk is full, so that there is room to clean up. */
  reserve: Bytes
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
  /** Records that the centre has. */
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

interface Parts {
  disk: Disk
  dir: string
  owner: { site: string; gateway: string }
  settings: OutboxSettings
  clock: Clock
  random: Random
  keeper: StateKeeper
  events: OutboxEvents
}

const REPLAY_KEY = namedKey('m', 'replay')
const UPKEEP_EVERY: Millis = 1000
const REOPEN_DELAY: Millis = 500
/** A full outbox accepts again once it is this much below its bound. */
const HYSTERESIS = 0.97

/**
 * Durable queues between ingest and the forwarder.
 *
 *     open <----> full     bounds or free disk reached: refuses appends, goes on forwarding; upkeep decides
 *       |           |
 *       +--error----+--> failed --closed, reopened, rebuilt--> open
 *       |
 *       +--close()--> closed
 *
 * While `failed`, nothing is acknowledged and what was gathered is forgotten: its senders were told no and send again.
 * The state machine is rebuilt from what is really on disk.
 */
export class Outbox {
  readonly #parts: Parts
  readonly #upkeep: Upkeep
  readonly #readers: Record<Lane, LaneReader>
  #identity: Identity
  #store: KeyValueStore
  #lanes: Record<Lane, LaneState>
  #commit: GroupCommit
  #state: 'open' | 'failed' | 'closed' = 'open'
  #full: FullReason | null = null
  #storedReplayFrom: Offset
  /** Resolves when a store is open again; replaced while reopening. */
  #ready: Promise<void> = Promise.resolve()
  #stopUpkeep: () => void = () => {}
  #upkeepRun: Promise<void> | null = null
  readonly #closing = new AbortController()

  private constructor(parts: Parts, opened: Opened) {
    this.#parts = parts
    this.#upkeep = new Upkeep(parts.settings)
    this.#store = opened.store
    this.#identity = opened.identity
    this.#lanes = opened.lanes
    this.#storedReplayFrom = opened.replayFrom
    this.#commit = this.#newCommit()
    const reader = (lane: Lane): LaneReader => new LaneReader(lane, this.#readerHost(lane))
    this.#readers = { readings: reader('readings'), events: reader('events'), deadletters: reader('deadletters') }
  }

  /**
   * Opens (or makes) the outbox in `dir` and rebuilds the state machine through `keeper`. Takes a time that depends on
   * neither backlog nor history.
   *
   * @throws OperatorError see `openIdentified`
   */
  static async open(parts: Parts): Promise<Outbox> {
    const opened = await openAll(parts)
    const outbox = new Outbox(parts, opened)
    if (opened.mend.length > 0) await outbox.#commitOps(opened.mend)
    for (const [lane, gap] of opened.damaged) parts.events.damaged(lane, gap)
    await outbox.#takeReserve()
    outbox.#scheduleUpkeep()
    return outbox
  }

  /** False while nothing may be appended or acknowledged. */
  get accepting(): boolean {
    return this.#state === 'open' && this.#full === null
  }

  /** Why nothing is accepted right now. */
  refusal(): StopAcceptingError {
    if (this.#full === 'disk')
      return new StopAcceptingError('DISK_FULL', 'the disk is nearly full; free space, or lower outbox.maxBytes')
    if (this.#full === 'bound')
      return new StopAcceptingError(
        'OUTBOX_FULL',
        'the outbox has reached outbox.maxBytes; the centre must take some first',
      )
    return new StopAcceptingError('OUTBOX_CLOSED', `the outbox is ${this.#state}`)
  }

  /** Puts one record (an NDJSON line without newline) behind the lane's others; durable when `whenDurable` says so. */
  append(lane: Lane, line: string): Offset {
    if (this.#state !== 'open') throw this.refusal()
    return this.#lanes[lane].append(line)
  }

  /** Stores (or, with null, deletes) something of another part in the same commit as the records appended so far. */
  attach(name: string, value: Buffer | null): void {
    const key = namedKey('q', name)
    this.#attach(value ? { type: 'put', key, value } : { type: 'del', key })
  }

  /** Calls back, in the order of the calls, when everything appended so far is durable. */
  whenDurable(callback: DurableCallback): void {
    this.#commit.whenDurable(callback)
  }

  /** The lane as a forwarder sees it. */
  lane(lane: Lane): LaneSource {
    return this.#readers[lane]
  }

  status(): OutboxStatus {
    const laneStatus = (lane: Lane): LaneStatus => {
      const state = this.#lanes[lane]
      const { pending, missing } = state
      return {
        accepted: state.durable,
        forwarded: state.durable - pending - missing,
        pending,
        pendingBytes: state.pendingBytes,
        missing,
      }
    }
    return {
      state: this.#state === 'open' && this.#full ? 'full' : this.#state,
      full: this.#full,
      epoch: this.#identity.epoch,
      storedBytes: this.#upkeep.storedBytes({ lanes: this.#lanes }),
      lanes: { readings: laneStatus('readings'), events: laneStatus('events'), deadletters: laneStatus('deadletters') },
    }
  }

  /** Makes what was appended durable, stores the whole state machine, and closes. Appends after it are refused. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return
    this.#stopUpkeep()
    this.#closing.abort()
    await this.#upkeepRun
    if (this.#state === 'open') {
      // A full snapshot costs a moment now and saves the replay at the next start.
      await this.#commitOps(this.#slices(Number.POSITIVE_INFINITY))
      await this.#commitOps([])
    }
    this.#state = 'closed'
    await this.#ready
    await this.#store.close()
  }

  #newCommit(): GroupCommit {
    let heads: Record<Lane, Offset> | null = null
    const parts: CommitParts = {
      cut: (now, ops) => {
        const before = this.#lanes.readings.extent(0).head.offset
        for (const lane of LANES) this.#lanes[lane].cut(now, ops)
        heads = {
          readings: this.#lanes.readings.next,
          events: this.#lanes.events.next,
          deadletters: this.#lanes.deadletters.next,
        }
        ops.push(...this.#slices(heads.readings - before))
      },
      committed: () => {
        if (!heads) return
        for (const lane of LANES) if (this.#lanes[lane].committed(heads[lane])) this.#readers[lane].grew()
      },
      failed: (error) => this.#fail(error),
    }
    return new GroupCommit(
      (ops) => this.#store.write(ops, { sync: true }),
      parts,
      () => this.#parts.clock.now(),
    )
  }

  /** The next slices of the snapshot, and from where to replay once they are written. */
  #slices(records: number): WriteOp[] {
    const { keeper } = this.#parts
    const ops: WriteOp[] = []
    for (const [name, value] of keeper.takeSlices(records)) {
      const key = namedKey('s', name)
      ops.push(value ? { type: 'put', key, value } : { type: 'del', key })
    }
    const replayFrom = keeper.replayFrom(this.#lanes.readings.next)
    if (replayFrom !== this.#storedReplayFrom) {
      this.#storedReplayFrom = replayFrom
      ops.push({ type: 'put', key: REPLAY_KEY, value: Buffer.from(String(replayFrom)) })
    }
    return ops
  }

  #attach(op: WriteOp): void {
    if (this.#state === 'open') this.#commit.attach(op)
  }

  #commitOps(ops: readonly WriteOp[]): Promise<void> {
    return new Promise((resolve, reject) => {
      for (const op of ops) this.#commit.attach(op)
      this.#commit.whenDurable((error) => (error ? reject(error) : resolve()))
    })
  }

  #readerHost(lane: Lane): ConstructorParameters<typeof LaneReader>[1] {
    return {
      epoch: () => this.#identity.epoch,
      store: async () => {
        await this.#ready
        if (this.#state === 'closed') throw this.refusal()
        return this.#store
      },
      state: () => this.#lanes[lane],
      attach: (ops) => {
        for (const op of ops) this.#attach(op)
      },
      damaged: this.#parts.events.damaged,
      // The cursor rides on the next commit; upkeep makes one when nothing else does.
      cursorMoved: () => {},
      startEpoch: () => this.#startEpoch(),
    }
  }

  async #startEpoch(): Promise<void> {
    const identity = { ...this.#identity, epoch: newEpoch(this.#parts.random) }
    await this.#commitOps([identityOp(identity)])
    this.#identity = identity
    this.#parts.events.epochStarted(identity.epoch)
  }

  #scheduleUpkeep(): void {
    this.#stopUpkeep = this.#parts.clock.after(UPKEEP_EVERY, () => {
      this.#upkeepRun = this.#runUpkeep()
        .catch((error: unknown) => this.#fail(error))
        .finally(() => {
          if (this.#state === 'open' && !this.#closing.signal.aborted) this.#scheduleUpkeep()
        })
    })
  }

  async #runUpkeep(): Promise<void> {
    if (this.#state !== 'open') return
    const { settings, disk, dir, clock } = this.#parts
    const free = await disk.freeBytes(dir)
    const host = {
      lanes: this.#lanes,
      store: this.#store,
      replayFrom: (lane: Lane) => (lane === 'readings' ? this.#storedReplayFrom : Number.MAX_SAFE_INTEGER),
      commit: (ops: readonly WriteOp[]) => this.#commitOps(ops),
      evicted: this.#parts.events.evicted,
    }
    await this.#upkeep.run(host, clock.now(), free < settings.minFree)
    if (LANES.some((lane) => this.#lanes[lane].cursorDirty)) await this.#commitOps([])
    if (free >= settings.minFree + settings.reserve) await this.#takeReserve()
    const bytes = this.#upkeep.storedBytes(host)
    const bound = settings.maxBytes * (this.#full === 'bound' ? HYSTERESIS : 1)
    this.#setFull(free < settings.minFree ? 'disk' : bytes > bound ? 'bound' : null)
  }

  #setFull(reason: FullReason | null): void {
    if (reason === this.#full) return
    this.#full = reason
    this.#parts.events.full(reason)
  }

  async #takeReserve(): Promise<void> {
    const { disk, dir, settings } = this.#parts
    if ((await disk.freeBytes(dir)) < settings.minFree + settings.reserve) return
    await disk.reserve(layout.reserve(dir), settings.reserve)
  }

  #fail(error: unknown): void {
    if (this.#state !== 'open') return
    this.#state = 'failed'
    this.#parts.events.failed(error)
    this.#ready = this.#reopen()
  }

  /** Closes and opens until it works: after a failed write LevelDB may refuse everything until it was reopened. */
  async #reopen(): Promise<void> {
    const { clock, disk, dir, settings, events } = this.#parts
    const { signal } = this.#closing
    await this.#store.close().catch(events.failed)
    while (!signal.aborted) {
      await pause(clock, REOPEN_DELAY, signal)
      try {
        if ((await disk.freeBytes(dir)) < settings.minFree) await disk.release(layout.reserve(dir))
        const opened = await openAll(this.#parts)
        this.#store = opened.store
        if (signal.aborted) return
        this.#identity = opened.identity
        this.#lanes = opened.lanes
        this.#storedReplayFrom = opened.replayFrom
        this.#commit = this.#newCommit()
        this.#full = (await disk.freeBytes(dir)) < settings.minFree ? 'disk' : null
        this.#state = 'open'
        events.recovered()
        this.#scheduleUpkeep()
        return
      } catch (error) {
        events.failed(error)
      }
    }
  }
}

interface Opened {
  store: KeyValueStore
  identity: Identity
  lanes: Record<Lane, LaneState>
  replayFrom: Offset
  mend: WriteOp[]
  damaged: (readonly [Lane, Gap])[]
}

async function openAll(parts: Parts): Promise<Opened> {
  const { disk, dir, owner, random, settings, keeper } = parts
  const { store, identity } = await openIdentified(disk, dir, owner, random, settings.compression)
  try {
    const readings = await loadLane(store, 'readings', settings.block)
    const events = await loadLane(store, 'events', settings.block)
    const deadletters = await loadLane(store, 'deadletters', settings.block)
    const all = [readings, events, deadletters]
    const replay = await store.get(REPLAY_KEY)
    const replayFrom = replay ? Number(replay.toString()) : 0
    await keeper.rebuild(storedState(store, replayFrom))
    return {
      store,
      identity,
      lanes: { readings: readings.state, events: events.state, deadletters: deadletters.state },
      replayFrom,
      mend: all.flatMap(({ mend }) => mend),
      damaged: all.flatMap(({ state, damaged }) => damaged.map((gap) => [state.lane, gap] as const)),
    }
  } catch (error) {
    await store.close()
    throw new StopAcceptingError('OUTBOX_OPEN_FAILED', `cannot open the outbox: ${describeError(error)}`, {
      cause: error,
    })
  }
}

function storedState(store: KeyValueStore, replayFrom: Offset): StoredState {
  return {
    async *slices() {
      for await (const [key, value] of store.entries(namedRange('s'))) yield [nameOf(key), value] as const
    },
    async *attached() {
      for await (const [key, value] of store.entries(namedRange('q'))) yield [nameOf(key), value] as const
    },
    async *records() {
      let start = replayFrom
      for await (const key of store.keys(offsetRange('b', 'readings', 0, replayFrom + 1), { reverse: true })) {
        start = offsetOf(key)
        break
      }
      for await (const [key, value] of store.entries(offsetRange('b', 'readings', start))) {
        const first = offsetOf(key)
        const block = soundOrNull(value)
        if (!block) continue
        const skip = Math.min(block.count, Math.max(0, replayFrom - first))
        const lines = block.body.toString('utf8', skipLines(block.body, skip)).split('\n')
        for (let i = 0; i < lines.length - 1; i++) yield [first + skip + i, lines[i] ?? ''] as const
      }
    },
  }
}

/** A damaged block has nothing to replay; the reader sets it aside and reports it when it comes to it. */
function soundOrNull(value: Buffer): ReturnType<typeof decodeBlock> | null {
  try {
    return decodeBlock(value)
  } catch {
    return null
  }
}
