import type { Millis } from '../contract/index.ts'
import { type CentralSession, StreamMissingError, UnknownOutcomeError } from '../link/index.ts'
import { Backoff, type Breaker, type Clock, pause, type Random } from '../runtime/index.ts'

/** Unknown outcomes in a row after which the connection itself is given up: a new one tells more than waiting. */
const SUSPECT_AFTER = 2

/** What happens between one attempt and the next, the same for every lane. */
export class Attempts {
  readonly #session: CentralSession
  readonly #provision: (session: CentralSession, stream: string) => Promise<void>
  readonly #breaker: Breaker
  readonly #clock: Clock
  readonly #backoff: Backoff
  #unknown = 0

  /** @param provision makes a missing stream, or does nothing where that is somebody else's task */
  constructor(
    session: CentralSession,
    provision: (session: CentralSession, stream: string) => Promise<void>,
    breaker: Breaker,
    clock: Clock,
    random: Random,
    retry: { min: Millis; max: Millis },
  ) {
    this.#session = session
    this.#provision = provision
    this.#breaker = breaker
    this.#clock = clock
    this.#backoff = new Backoff(retry, random)
  }

  succeeded(): void {
    this.#unknown = 0
    this.#backoff.reset()
    this.#breaker.succeeded()
  }

  /** Waits before the next attempt; ends the session when it seems dead. */
  async failed(error: unknown, signal: AbortSignal): Promise<void> {
    this.#breaker.failed()
    this.#unknown = error instanceof UnknownOutcomeError ? this.#unknown + 1 : 0
    if (this.#unknown >= SUSPECT_AFTER) {
      await this.#session.close()
      return
    }
    if (error instanceof StreamMissingError) await this.#provision(this.#session, error.stream)
    await pause(this.#clock, Math.max(this.#backoff.next(), this.#breaker.wait), signal)
  }
}
