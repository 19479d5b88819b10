import { EventStreamParser, type ServerSentEvent } from '../../../gateway/cli/api/server-sent-events.ts'
import type { RunningGateway } from '../../support/running-gateway.ts'

export interface Refusal {
  error: { code: string; message: string; problems?: { path: string; message: string }[] }
}

/** Status and code of an answer that is a refusal. */
export async function refusal(answer: Response | Promise<Response>): Promise<[status: number, code: string]> {
  const response = await answer
  return [response.status, ((await response.json()) as Refusal).error.code]
}

/** An endless answer, read event by event. */
export class Stream {
  readonly #reader: AsyncIterator<Uint8Array>
  readonly #parser = new EventStreamParser()
  readonly #decoder = new TextDecoder()
  readonly #waiting: ServerSentEvent[] = []
  readonly #stop: AbortController
  /** Everything that came, as it came. */
  text = ''

  private constructor(body: AsyncIterable<Uint8Array>, stop: AbortController) {
    this.#reader = body[Symbol.asyncIterator]()
    this.#stop = stop
  }

  static async open({ ask }: RunningGateway, path: string, headers: Record<string, string> = {}): Promise<Stream> {
    const stop = new AbortController()
    const answer = await ask(path, { headers, signal: stop.signal })
    if (answer.status !== 200 || !answer.body) throw new Error(`status ${answer.status}: ${await answer.text()}`)
    return new Stream(answer.body as unknown as AsyncIterable<Uint8Array>, stop)
  }

  get lastId(): string | null {
    return this.#parser.lastId
  }

  /** The next event that has data. */
  async next(): Promise<ServerSentEvent> {
    for (;;) {
      const event = this.#waiting.shift()
      if (event) return event
      if (!(await this.more())) throw new Error(`the stream ended: ${this.text}`)
    }
  }

  /** What has come and was not taken yet. */
  came(): ServerSentEvent[] {
    return this.#waiting.splice(0)
  }

  async take(count: number): Promise<ServerSentEvent[]> {
    const found: ServerSentEvent[] = []
    while (found.length < count) found.push(await this.next())
    return found
  }

  /** Waits for whatever comes next; false at the end. */
  async more(): Promise<boolean> {
    const { done, value } = await this.#reader.next()
    if (done) return false
    const piece = this.#decoder.decode(value, { stream: true })
    this.text += piece
    this.#waiting.push(...this.#parser.push(piece))
    return true
  }

  close(): void {
    this.#stop.abort()
  }
}
