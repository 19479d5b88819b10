import type { Acceptor, Batch, Done, Publish, PublishSpan, Verdict } from '../../../../../gateway/ingest/acceptor.ts'
import { type Millis, StopAcceptingError } from '../../../../../sync/contract/index.ts'

export interface Received extends Publish {
  text: string
  done: (error?: Error, verdict?: Verdict) => void
  readonly answered: boolean
  /** What it is answered together with. */
  batch?: FakeBatch
}

/** An acceptor in memory: answers on the next turn of the event loop (`auto`), at once, or when the test says so. */
export class FakeAcceptor implements Acceptor {
  overloaded = false
  auto = true
  /** With `auto`: answers before `accept` returns. */
  atOnce = false
  /** With an error: every publish is refused with it. */
  refuseWith: StopAcceptingError | null = null
  /** Takes what comes the direct way as plain readings: not at all, answered one by one, or together. */
  plain: 'never' | 'each' | 'together' = 'never'
  /** What becomes of every publish. */
  verdict: Verdict | undefined
  readonly received: Received[] = []
  /** What waits for nothing but the answer of a publish. */
  readonly #turns = new Map<Received, Done[]>()
  readonly releases: Array<[clientId: string, messageId: number | null]> = []
  /** What a release waits for. */
  releasing: Promise<void> = Promise.resolve()

  accept(publish: Publish, done: Done): void {
    let answered = false
    const received: Received = {
      ...publish,
      text: publish.payload.toString(),
      get answered() {
        return answered
      },
      done: (error, verdict = error === undefined ? this.verdict : undefined) => {
        answered = true
        done(error ?? null, verdict)
        this.#passTurn(received, error)
      },
    }
    this.received.push(received)
    if (!this.auto) return
    if (this.atOnce) received.done(this.refuseWith ?? undefined)
    else setImmediate(() => received.done(this.refuseWith ?? undefined))
  }

  inTurn(done: Done): void {
    const last = this.received.findLast(({ answered }) => !answered)
    if (last === undefined) done(null)
    else this.#turns.set(last, [...(this.#turns.get(last) ?? []), done])
  }

  acceptPlain(
    { data, topic, payloadStart, end, qos, dup, packetId }: PublishSpan,
    received: Millis,
    open: Batch | null,
    settled: (batch: Batch, error: Error | null) => void,
  ): Batch | null {
    // They are never answered before this returns.
    if (this.plain === 'never' || this.atOnce) return null
    const goesOn = this.plain === 'together' && open instanceof FakeBatch && !open.answered
    const batch = goesOn ? open : new FakeBatch()
    // A copy: what it lies in is valid during the call only.
    const payload = Buffer.from(data.subarray(payloadStart, end))
    batch.publishes++
    batch.bytes += payload.length
    if (packetId !== 0) batch.packetIds.push(packetId)
    const done = (error?: Error): void => {
      if (batch.answered) return
      batch.answered = true
      settled(batch, error ?? null)
      for (const each of this.received) if (each.batch === batch) this.#passTurn(each, error)
    }
    this.received.push({
      batch,
      // It is the sender's own affair who it is.
      clientId: '',
      ...{ topic, payload, qos, dup, messageId: packetId, received, text: payload.toString(), done },
      get answered() {
        return batch.answered
      },
    })
    if (this.auto && batch.publishes === 1) setImmediate(() => done(this.refuseWith ?? undefined))
    return batch
  }

  released(clientId: string, messageId: number | null): Promise<void> {
    this.releases.push([clientId, messageId])
    return this.releasing
  }

  #passTurn(received: Received, error: Error | undefined): void {
    const turns = this.#turns.get(received) ?? []
    this.#turns.delete(received)
    for (const done of turns) done(error ?? null)
  }

  /** Answers everything that waits, in order, in one go. */
  answerAll(): void {
    for (const received of this.received) if (!received.answered) received.done()
  }

  texts(): string[] {
    return this.received.map((received) => received.text)
  }
}

class FakeBatch implements Batch {
  publishes = 0
  bytes = 0
  readonly packetIds: number[] = []
  answered = false
}

export const storeFull = (): StopAcceptingError =>
  new StopAcceptingError('TEST_STORE_FULL', 'expected room in the store, came none')
