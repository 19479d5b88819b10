import {
  type Bytes,
  LANES,
  type Lane,
  type LineBuffer,
  type Millis,
  type Offset,
  StopAcceptingError,
} from '../../sync/contract/index.ts'
import type { Gap } from '../../sync/forward/index.ts'
import type { Clock, Random } from '../../sync/runtime/index.ts'
import type { Disk, KeyValueStore, WriteOp } from '../ports/index.ts'
import { type DurableCallback, GroupCommit } from './group-commit.ts'
import { type Identity, identityOp, newEpoch, type Owner, openIdentified, writeMarker } from './identity.ts'
import { EVERYTHING, namedKey, namedRange, nameOf } from './keys.ts'
import type { BlockLimits, CutBlock, LaneState } from './lane.ts'
import { loadLane } from './load.ts'
import { decodeNote, encodeNote, sealNote } from './note.ts'
import { Replica } from './replica.ts'
import type { StateKeeper } from './state-keeper.ts'
import { storedState } from './stored-state.ts'

export type Lanes = Readonly<Record<Lane, LaneState>>

/** What an opening takes from outside. */
export interface OpeningParts {
  disk: Disk
  dir: string
  owner: Owner
  settings: { block: BlockLimits; compression: boolean }
  clock: Clock
  random: Random
  keeper: StateKeeper
}

/** A block of a lane as it was just stored. */
export interface LaneBlock extends CutBlock {
  lane: Lane
}

/** What happens to an opening; set once somebody listens. */
export interface OpeningEvents {
  /** Records of these lanes became durable; `blocks` are those that hold them, in order. */
  committed(grown: readonly Lane[], blocks: readonly LaneBlock[]): void
  /** Records of these lanes of a replica became durable. */
  replicated(replica: Replica, grown: readonly Lane[]): void
  /** A write failed: this opening is over. */
  failed(error: unknown): void
}

const REPLAY_KEY = namedKey('m', 'replay')

/**
 * One opening of the store, from `open` to `close`: what was found on disk, and what is on its way there. A failed write
 * ends it: what was gathered is refused, and the next opening starts from what is really on disk. Nothing of one opening
 * reaches into the next.
 */
export class Opening {
  readonly store: KeyValueStore
  readonly lanes: Lanes
  /** Damage found while opening. */
  readonly damaged: readonly (readonly [Lane, Gap])[]
  /** When the newest block that was found was committed; null when there was none. */
  readonly lastCommit: Millis | null
  events: OpeningEvents = { committed() {}, replicated() {}, failed() {} }
  readonly #replicas = new Map<string, Replica>()
  readonly #parts: OpeningParts
  readonly #commit: GroupCommit
  #identity: Identity
  #replayFrom: Offset
  /** How far each lane is with the commit that is under way, and what it holds. */
  #heads: readonly (readonly [Lane, Offset])[] = []
  #blocks: readonly LaneBlock[] = []
  #replicaHeads: readonly (readonly [Replica, readonly (readonly [Lane, Offset])[]])[] = []

  private constructor(
    parts: OpeningParts,
    store: KeyValueStore,
    identity: Identity,
    lanes: Lanes,
    damaged: readonly (readonly [Lane, Gap])[],
    lastCommit: Millis | null,
    replayFrom: Offset,
  ) {
    this.#parts = parts
    this.store = store
    this.#identity = identity
    this.lanes = lanes
    this.damaged = damaged
    this.lastCommit = lastCommit
    this.#replayFrom = replayFrom
    this.#commit = new GroupCommit(
      (ops) => store.write(ops, { sync: true }),
      {
        cut: (now, ops) => this.#cut(now, ops),
        committed: () => {
          const grown = this.#heads.filter(([lane, head]) => lanes[lane].committed(head))
          for (const block of this.#blocks) lanes[block.lane].recent.add(block)
          this.events.committed(
            grown.map(([lane]) => lane),
            this.#blocks,
          )
          for (const [replica, heads] of this.#replicaHeads) {
            const more = heads.filter(([lane, head]) => replica.lanes[lane].committed(head))
            if (more.length > 0)
              this.events.replicated(
                replica,
                more.map(([lane]) => lane),
              )
          }
        },
        failed: (error) => this.events.failed(error),
      },
      parts.clock,
    )
  }

  /**
   * Opens the store, mends what is damaged at the ends of its lanes, and rebuilds the state machine. Its cost depends on
   * neither backlog nor history.
   *
   * @throws OperatorError see `openIdentified`
   */
  static async open(parts: OpeningParts): Promise<Opening> {
    const { disk, dir, owner, random, settings, keeper } = parts
    const { store, identity } = await openIdentified(disk, dir, owner, random, settings.compression)
    try {
      const readings = await loadLane(store, 'readings', settings.block)
      const events = await loadLane(store, 'events', settings.block)
      const deadletters = await loadLane(store, 'deadletters', settings.block)
      const all = [readings, events, deadletters]
      // Without the note everything that is there is replayed, which takes longer and gives the same.
      const replayFrom = decodeNote<Offset>(await store.get(REPLAY_KEY)) ?? readings.state.tail
      const replicas: Replica[] = []
      const mended: WriteOp[] = []
      for await (const key of store.keys(namedRange('o'))) {
        const { replica, mend } = await Replica.load(store, nameOf(key), settings.block)
        replicas.push(replica)
        mended.push(...mend)
      }
      const heard = replicas.map((replica) => ({
        origin: replica.origin,
        space: replica.space(store),
        from: replica.hearFrom,
      }))
      await keeper.rebuild(storedState(store, replayFrom, heard))
      const lanes = { readings: readings.state, events: events.state, deadletters: deadletters.state }
      const damaged = all.flatMap((lane) => lane.damaged.map((gap) => [lane.state.lane, gap] as const))
      const commits = all.flatMap(({ lastCommit }) => lastCommit ?? [])
      const lastCommit = commits.length === 0 ? null : Math.max(...commits)
      const opening = new Opening(parts, store, identity, lanes, damaged, lastCommit, replayFrom)
      for (const replica of replicas) opening.#replicas.set(replica.origin, replica)
      const mend = [...all.flatMap((lane) => lane.mend), ...mended]
      if (mend.length > 0) await opening.commit(mend)
      return opening
    } catch (error) {
      await store.close()
      throw error
    }
  }

  get epoch(): string {
    return this.#identity.epoch
  }

  /** Blocks of readings from here on are needed to rebuild the state machine. */
  get replayFrom(): Offset {
    return this.#replayFrom
  }

  /** What there is of other gateways, by origin. */
  get replicas(): ReadonlyMap<string, Replica> {
    return this.#replicas
  }

  /** The replica of an origin; one that begins at 0 when there is none yet. */
  async openReplica(origin: string): Promise<Replica> {
    const known = this.#replicas.get(origin)
    if (known) return known
    const { replica } = await Replica.load(this.store, origin, this.#parts.settings.block)
    const raced = this.#replicas.get(origin)
    if (raced) return raced
    // Its name is on disk before anything of it is: whoever has it finds it again when the store was opened anew.
    await this.commit([{ type: 'put', key: namedKey('o', origin), value: Buffer.alloc(0) }])
    const first = this.#replicas.get(origin) ?? replica
    this.#replicas.set(origin, first)
    return first
  }

  /** Forgets a replica; its records go in the background. */
  async dropReplica(origin: string): Promise<void> {
    const replica = this.#replicas.get(origin)
    if (!replica) return
    this.#replicas.delete(origin)
    // Cut short by a crash, it is an empty name with something behind it: it is dropped again.
    await replica.space(this.store).clear(EVERYTHING)
    await this.commit([{ type: 'del', key: namedKey('o', origin) }])
  }

  append(lane: Lane, line: string): Offset {
    this.#commit.schedule()
    return this.lanes[lane].append(line)
  }

  /** See `LaneState.reserve`. */
  reserve(lane: Lane, most: Bytes): LineBuffer {
    return this.#lane(lane).reserve(most)
  }

  appendReserved(lane: Lane): Offset {
    this.#commit.schedule()
    return this.#lane(lane).appendReserved()
  }

  /** For every reading: a property that has a name in the code is found faster than one whose name is in a variable. */
  #lane(lane: Lane): LaneState {
    return lane === 'readings' ? this.lanes.readings : this.lanes[lane]
  }

  /** Adds writes to the next commit. */
  attach(ops: readonly WriteOp[]): void {
    this.#commit.attach(ops)
  }

  /** See `GroupCommit.next`. */
  get nextCommit(): symbol {
    return this.#commit.next
  }

  whenDurable(callback: DurableCallback): void {
    this.#commit.whenDurable(callback)
  }

  /** Writes in the next commit; resolves when it is durable. */
  commit(ops: readonly WriteOp[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#commit.attach(ops)
      this.#commit.whenDurable((error) => (error ? reject(error) : resolve()))
    })
  }

  /** Stores a part of what changed of the state machine, longest changed first; false when there was nothing left. */
  async snapshotSome(): Promise<boolean> {
    const ops = this.#slices(Number.POSITIVE_INFINITY)
    if (ops.length > 0) await this.commit(ops)
    return ops.length > 0
  }

  /** What the centre acknowledged stays known when the store is opened anew, even if it was never written. */
  adoptCursors(before: Opening): void {
    for (const lane of LANES) {
      this.lanes[lane].adopt(before.lanes[lane])
      for (const [origin, { lanes }] of this.#replicas) {
        const known = before.replicas.get(origin)
        if (known) lanes[lane].adopt(known.lanes[lane])
      }
    }
  }

  /** Numbers on under a new epoch. */
  async startEpoch(): Promise<void> {
    const { disk, dir, random } = this.#parts
    const identity = { ...this.#identity, epoch: newEpoch(random) }
    await this.commit([identityOp(identity)])
    this.#identity = identity
    await writeMarker(disk, dir, identity)
  }

  /** Answers everything that is under way, and closes the store. */
  async close(reason: string): Promise<void> {
    await this.#commit.end(new StopAcceptingError('OUTBOX_CLOSED', `the outbox is closed: ${reason}`))
    await this.store.close()
  }

  #cut(now: number, ops: WriteOp[]): void {
    const { lanes } = this
    const replicas = [...this.#replicas.values()]
    const before = lanes.readings.extent(0).head.offset
    const heard = replicas.reduce((sum, { lanes: { readings } }) => sum + readings.next - readings.durable, 0)
    const cut = LANES.map((lane) => lanes[lane].cut(now, ops).map((block) => ({ ...block, lane })))
    this.#blocks = cut.flat()
    this.#heads = LANES.map((lane) => [lane, lanes[lane].next])
    for (const replica of replicas) replica.cutCursors(ops)
    this.#replicaHeads = replicas.map((replica) => [replica, LANES.map((lane) => [lane, replica.lanes[lane].next])])
    for (const op of this.#slices(lanes.readings.next - before + heard)) ops.push(op)
  }

  /** The next slices of the snapshot, as of all records appended so far, and from where to replay once they are written. */
  #slices(records: number): WriteOp[] {
    const { keeper } = this.#parts
    const ops = keeper.takeSlices(records).map(([name, value]): WriteOp => {
      const key = namedKey('s', name)
      return value ? { type: 'put', key, value: sealNote(value) } : { type: 'del', key }
    })
    const replayFrom = keeper.replayFrom(this.lanes.readings.next)
    if (replayFrom !== this.#replayFrom) {
      this.#replayFrom = replayFrom
      ops.push({ type: 'put', key: REPLAY_KEY, value: encodeNote(replayFrom) })
    }
    for (const replica of this.#replicas.values())
      ops.push(...replica.keepHearFrom(keeper.hearFrom(replica.origin, replica.lanes.readings.next)))
    return ops
  }
}
