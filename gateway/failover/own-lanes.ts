import type { Lane, Offset } from '../../sync/contract/index.ts'
import type { Outbox } from '../outbox/index.ts'
import type { Answer, LanePosition, LaneProgress } from './protocol.ts'
import type { Twins } from './twins.ts'
import type { UplinkHost } from './uplink.ts'

/** How this gateway's own lanes stand, for itself and for its peers. */
export class OwnLanes {
  readonly #outbox: Outbox
  readonly #twins: Twins
  #settled: Offset
  /**
   * When a copy of an own reading was heard of, own readings before this offset may have been on their way. A start counts as such a
   * moment: the cursor on disk is older than what had left by the end of the last life.
   */
  #sureFrom: Offset

  constructor(outbox: Outbox, twins: Twins) {
    this.#outbox = outbox
    this.#twins = twins
    this.#settled = outbox.lane('readings').cursor.next
    this.#sureFrom = outbox.durable('readings')
  }

  get epoch(): string {
    return this.#outbox.lane('readings').epoch
  }

  /** The highest own cursor that there ever was. */
  get settled(): Offset {
    this.#settled = Math.max(this.#settled, this.#outbox.lane('readings').cursor.next)
    return this.#settled
  }

  get sureFrom(): Offset {
    return this.#sureFrom
  }

  /** A copy was heard of, while own readings before `offset` may be on their way. */
  foundTwin(offset: Offset): void {
    this.#sureFrom = Math.max(this.#sureFrom, offset)
  }

  /** What a peer has to know to clear its own readings, see `Answer`. */
  standing(): Pick<Extract<Answer, { kind: 'stored' }>, 'head' | 'settled' | 'skipped'> {
    const { settled } = this
    return {
      head: this.#outbox.next('readings'),
      settled: settled >= this.#sureFrom ? settled : null,
      skipped: this.#twins.skipped(),
    }
  }

  /** The lanes as they are copied to a peer. */
  copied(): Omit<UplinkHost, 'site' | 'gateway' | 'rules' | 'known' | 'startEpoch'> {
    const outbox = this.#outbox
    return {
      epoch: () => this.epoch,
      head: (lane) => outbox.durable(lane),
      position: async (lane): Promise<LanePosition> => {
        const next = outbox.durable(lane)
        return { next, lineage: await outbox.lane(lane).lineageAt(next) }
      },
      progress: (lane: Lane): LaneProgress => {
        const { cursor, tail } = outbox.lane(lane)
        const skipped = lane === 'readings' ? this.#twins.skipped() : []
        return { next: cursor.next, sequence: cursor.sequence, tail, skipped }
      },
      lineageAt: (lane, offset) => outbox.lane(lane).lineageAt(offset),
      blocks: (lane, from, maxBytes) => outbox.blocks(lane, from, maxBytes),
      onBlocks: (listener) => outbox.onBlocks(listener),
    }
  }
}
