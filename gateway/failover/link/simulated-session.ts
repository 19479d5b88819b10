import type { Millis } from '../../../sync/contract/index.ts'
import type { Clock, Random } from '../../../sync/runtime/index.ts'
import { PeerSessionOver } from './errors.ts'
import { HostedSession } from './hosted-session.ts'
import { Inbox } from './inbox.ts'
import type { PeerSession } from './peers.ts'
import { SimulatedPipe } from './simulated-pipe.ts'

interface Sent {
  resolve(): void
  reject(error: Error): void
}

/**
 * One session in a simulated site, with both its ends and the way between them. The ends learn of each other's doings, and of
 * the end of the connection, only by what comes out of the pipes or after a while of their own.
 */
export class SimulatedSession implements PeerSession {
  readonly closed: Promise<Error | null>
  readonly hosted: HostedSession
  readonly #to: string
  readonly #clock: Clock
  readonly #random: Random
  readonly #up: SimulatedPipe
  readonly #down: SimulatedPipe
  readonly #inbox = new Inbox<Buffer>()
  /** Sent and not answered, oldest first. */
  readonly #sent: Sent[] = []
  #resolveClosed: (reason: Error | null) => void = () => undefined
  #over = false
  #severed = false

  constructor(from: string, to: string, clock: Clock, random: Random, travel: () => Millis) {
    this.#to = to
    this.#clock = clock
    this.#random = random
    this.#up = new SimulatedPipe(clock, travel)
    this.#down = new SimulatedPipe(clock, travel)
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
    this.hosted = new HostedSession(from, {
      write: (message) => {
        const copy = Buffer.from(message)
        this.#down.put(() => {
          if (!this.#over) this.#inbox.put(copy)
        })
      },
      end: (error) => this.#down.put(() => this.endDialler(error === null ? null : gone())),
    })
  }

  /** The host has opened the session. Resolves when the dialler knows: true, or false when it has ended before. */
  whenAnswered(): Promise<boolean> {
    return new Promise((resolve) => {
      this.#down.put(() => resolve(!this.#over))
      void this.closed.then(() => resolve(false))
    })
  }

  send(message: Uint8Array): Promise<void> {
    if (this.#over) return Promise.reject(new PeerSessionOver(this.#to))
    const copy = Buffer.from(message)
    this.#up.put(() =>
      this.hosted.receive(copy, () => {
        // Whoever has kept it without a copy finds something else in it now.
        copy.fill(0xee)
        this.#down.put(() => this.#sent.shift()?.resolve())
      }),
    )
    return new Promise((resolve, reject) => {
      this.#sent.push({ resolve, reject })
    })
  }

  onMessage(listener: (message: Buffer) => void): void {
    this.#inbox.listen(listener)
  }

  async close(): Promise<void> {
    this.endDialler(null)
    this.#up.put(() => this.hosted.end(null))
  }

  /** The dialler knows that it is over. */
  endDialler(reason: Error | null): void {
    if (this.#over) return
    this.#over = true
    for (const { reject } of this.#sent.splice(0)) reject(new PeerSessionOver(this.#to, reason))
    this.#resolveClosed(reason)
  }

  /** The connection breaks; each end notices within `noticing`. */
  sever(noticing: Millis): void {
    if (this.#severed) return
    this.#severed = true
    this.#up.break(this.#random)
    this.#down.break(this.#random)
    this.#clock.after(this.#random.next() * noticing, () => this.endDialler(gone()))
    this.#clock.after(this.#random.next() * noticing, () => this.hosted.end(gone()))
  }
}

const gone = (): Error => new Error('the connection is gone')
