import type { PeerDialer, PeerHost, PeerSession, ServedSession } from '../../gateway/failover/link/index.ts'
import type { CentralDialer, CentralSession } from '../../sync/link/index.ts'
import type { Clock } from '../../sync/runtime/index.ts'

/**
 * A process that can stand still: swapped out, stopped, a virtual machine that is moved. Nothing that comes in from outside gets
 * through to it meanwhile, neither time nor messages nor answers; all of it does, in order, when it goes on.
 */
export class Stall {
  #still = false
  #over = false
  #waiting: (() => void)[] = []

  stop(): void {
    this.#still = true
  }

  goOn(): void {
    this.#still = false
    const waiting = this.#waiting
    this.#waiting = []
    for (const callback of waiting) this.pass(callback)
  }

  /** The process is no more. */
  end(): void {
    this.#over = true
    this.#waiting = []
  }

  /** Calls it as soon as the process runs. */
  pass(callback: () => void): void {
    if (this.#over) return
    if (this.#still) this.#waiting.push(callback)
    else callback()
  }

  clock(clock: Clock): Clock {
    return {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      soon: (callback) => clock.soon(() => this.pass(callback)),
      after: (delay, callback) => {
        let isCancelled = false
        const cancel = clock.after(delay, () =>
          this.pass(() => {
            if (!isCancelled) callback()
          }),
        )
        return () => {
          isCancelled = true
          cancel()
        }
      },
    }
  }

  centre(dialer: CentralDialer): CentralDialer {
    return { dial: async (signal) => this.#central(await this.#heard(dialer.dial(signal))) }
  }

  dialer(dialer: PeerDialer): PeerDialer {
    return { dial: async (peer, signal) => this.#dialled(await this.#heard(dialer.dial(peer, signal))) }
  }

  host(host: PeerHost): PeerHost {
    return {
      serve: (handler) =>
        host.serve({
          opened: (peer, session) => this.pass(() => handler.opened(peer, this.#served(session))),
        }),
    }
  }

  #central(session: CentralSession): CentralSession {
    return {
      maxPayload: session.maxPayload,
      closed: this.#heard(session.closed),
      append: (...args) => this.#heard(session.append(...args)),
      head: (...args) => this.#heard(session.head(...args)),
      nextFrom: (...args) => this.#heard(session.nextFrom(...args)),
      facts: (...args) => this.#heard(session.facts(...args)),
      provision: (...args) => this.#heard(session.provision(...args)),
      close: () => this.#heard(session.close()),
    }
  }

  #dialled(session: PeerSession): PeerSession {
    return {
      closed: this.#heard(session.closed),
      send: (message) => this.#heard(session.send(message)),
      onMessage: (listener) => session.onMessage((message) => this.pass(() => listener(message))),
      close: () => this.#heard(session.close()),
    }
  }

  #served(session: ServedSession): ServedSession {
    return {
      peer: session.peer,
      closed: this.#heard(session.closed),
      onMessage: (listener) => session.onMessage((message, done) => this.pass(() => listener(message, done))),
      send: (message) => session.send(message),
      close: () => session.close(),
    }
  }

  /** What became of it, when the process gets to hear of that. */
  #heard<T>(outcome: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) =>
      outcome.then(
        (value) => this.pass(() => resolve(value)),
        (error: unknown) => this.pass(() => reject(error instanceof Error ? error : new Error(String(error)))),
      ),
    )
  }
}
