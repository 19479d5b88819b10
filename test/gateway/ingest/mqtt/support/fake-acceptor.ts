import type { Acceptor, Done, Publish, Verdict } from '../../../../../gateway/ingest/acceptor.ts'
import { StopAcceptingError } from '../../../../../sync/contract/index.ts'

export interface Received extends Publish {
  text: string
  done: (error?: Error, verdict?: Verdict) => void
  answered: boolean
}

/** An acceptor in memory: answers on the next turn of the event loop (`auto`), at once, or when the test says so. */
export class FakeAcceptor implements Acceptor {
  overloaded = false
  auto = true
  /** With `auto`: answers before `accept` returns. */
  atOnce = false
  /** With an error: every publish is refused with it. */
  refuseWith: StopAcceptingError | null = null
  /** What becomes of every publish. */
  verdict: Verdict | undefined
  readonly received: Received[] = []
  readonly releases: Array<[clientId: string, messageId: number | null]> = []
  /** What a release waits for. */
  releasing: Promise<void> = Promise.resolve()

  accept(publish: Publish, done: Done): void {
    const received: Received = {
      ...publish,
      text: publish.payload.toString(),
      answered: false,
      done: (error, verdict = error === undefined ? this.verdict : undefined) => {
        received.answered = true
        done(error ?? null, verdict)
      },
    }
    this.received.push(received)
    if (!this.auto) return
    if (this.atOnce) received.done(this.refuseWith ?? undefined)
    else setImmediate(() => received.done(this.refuseWith ?? undefined))
  }

  released(clientId: string, messageId: number | null): Promise<void> {
    this.releases.push([clientId, messageId])
    return this.releasing
  }

  /** Answers everything that waits, in order, in one go. */
  answerAll(): void {
    for (const received of this.received) if (!received.answered) received.done()
  }

  texts(): string[] {
    return this.received.map((received) => received.text)
  }
}

export const storeFull = (): StopAcceptingError =>
  new StopAcceptingError('TEST_STORE_FULL', 'expected room in the store, came none')
