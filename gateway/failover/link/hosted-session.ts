import { Inbox } from './inbox.ts'
import type { ServedSession } from './peers.ts'

/** What a hosted session needs of its connection. */
export interface PeerWire {
  /** Sends to the dialler, behind everything before. */
  write(message: Uint8Array): void
  /** Ends the connection: with an error at once, without one after what has been written. */
  end(error: Error | null): void
}

interface Received {
  readonly message: Buffer
  /** Tells the dialler that it is taken. */
  readonly taken: () => void
  done: boolean
}

/**
 * A session on the side of the one who was dialled, whatever carries it: messages wait for the listener, and are
 * acknowledged in the order in which they came, in whatever order they get done.
 */
export class HostedSession implements ServedSession {
  readonly peer: string
  readonly closed: Promise<Error | null>
  readonly #wire: PeerWire
  readonly #inbox = new Inbox<Received>()
  /** Not acknowledged yet, oldest first. */
  readonly #open: Received[] = []
  #resolveClosed: (reason: Error | null) => void = () => undefined
  #over = false

  constructor(peer: string, wire: PeerWire) {
    this.peer = peer
    this.#wire = wire
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
  }

  /**
   * A message of the dialler.
   *
   * @param taken called when it, and everything before it, is done; never after the session is over
   */
  receive(message: Buffer, taken: () => void): void {
    if (this.#over) return
    const received = { message, taken, done: false }
    this.#open.push(received)
    this.#inbox.put(received)
  }

  /** The connection is gone, or not wanted any more. */
  end(reason: Error | null): void {
    if (this.#over) return
    this.#over = true
    this.#open.length = 0
    this.#resolveClosed(reason)
  }

  onMessage(listener: (message: Buffer, done: (error: Error | null) => void) => void): void {
    this.#inbox.listen((received) => {
      if (!this.#over) listener(received.message, (error) => this.#done(received, error))
    })
  }

  send(message: Uint8Array): void {
    if (!this.#over) this.#wire.write(message)
  }

  close(): void {
    this.#finish(null)
  }

  #done(received: Received, error: Error | null): void {
    if (this.#over) return
    if (error !== null) {
      this.#finish(error)
      return
    }
    received.done = true
    for (let first = this.#open[0]; first?.done === true; first = this.#open[0]) {
      this.#open.shift()
      first.taken()
    }
  }

  #finish(reason: Error | null): void {
    if (this.#over) return
    this.end(reason)
    this.#wire.end(reason)
  }
}
