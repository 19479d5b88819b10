import type { Offset } from '../../sync/contract/index.ts'
import type { ReplicaAccess } from '../outbox/index.ts'
import { linesBetween } from './lines.ts'
import { printOf } from './twins.ts'

/** Looks for readings in a replica, each record once for each of them. */
export class ReplicaSearch {
  readonly #replica: ReplicaAccess
  readonly #from: () => Offset
  readonly #found = new Map<string, Offset>()
  #wanted: ReadonlySet<string> = new Set()
  #upTo: Offset = 0

  /** @param from what is before it need not be found */
  constructor(replica: ReplicaAccess, from: () => Offset) {
    this.#replica = replica
    this.#from = from
  }

  /** @returns where those of the fingerprints are that the replica holds, other than as declared missing */
  async find(prints: ReadonlySet<string>): Promise<ReadonlyMap<string, Offset>> {
    const lane = this.#replica.lane('readings')
    const isNew = [...prints].some((print) => !this.#wanted.has(print))
    if (isNew) {
      this.#wanted = new Set(prints)
      this.#found.clear()
      this.#upTo = 0
    }
    const { durable } = lane
    const blocks = this.#replica.blocks.bind(this.#replica, 'readings' as const)
    if (this.#wanted.size > 0)
      for await (const [offset, line] of linesBetween(blocks, Math.max(this.#upTo, this.#from()), durable)) {
        const print = printOf(line)
        if (print !== null && this.#wanted.has(print)) this.#found.set(print, offset)
      }
    this.#upTo = durable
    return this.#found
  }
}
