import { Duplex } from 'node:stream'

/** The other end of a connection, in memory: `push` is what it sends; when it takes what is written is up to the test. */
export class Peer extends Duplex {
  readonly written: Buffer[] = []
  taking = true
  #pending: (() => void) | null = null

  override _read(): void {
    // What the peer sends comes by `push`.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.written.push(chunk)
    if (this.taking) callback()
    else this.#pending = callback
  }

  takeAll(): void {
    this.taking = true
    this.#pending?.()
  }
}

/** One turn of the event loop. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
