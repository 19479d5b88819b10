import type { Bytes } from '../../../sync/contract/index.ts'

const PUBACK = 0x40
const PUBACK_BYTES: Bytes = 4

/**
 * Gathers the PUBACKs of one connection and writes those of one turn of the event loop together: a commit acknowledges
 * dozens of publishes of one client at once, and a write each would cost more than everything else about them.
 */
export class AckWriter {
  readonly #write: (packets: Buffer) => void
  /** Packet identifiers not yet written, in the order in which they were acknowledged. */
  readonly #ids: number[] = []

  /** @param write gets whole packets only */
  constructor(write: (packets: Buffer) => void) {
    this.#write = write
  }

  add(packetId: number): void {
    if (this.#ids.length === 0) process.nextTick(flush, this)
    this.#ids.push(packetId)
  }

  /** Writes what has been gathered; for whoever is about to write something that has to stay behind it. */
  flush(): void {
    const ids = this.#ids
    if (ids.length === 0) return
    const packets = Buffer.allocUnsafe(ids.length * PUBACK_BYTES)
    let at = 0
    for (const id of ids) {
      packets[at] = PUBACK
      packets[at + 1] = 2
      packets[at + 2] = id >> 8
      packets[at + 3] = id & 0xff
      at += PUBACK_BYTES
    }
    ids.length = 0
    this.#write(packets)
  }
}

const flush = (acks: AckWriter): void => acks.flush()
