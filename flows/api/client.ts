import type { Millis } from '../../sync/contract/index.ts'
import type { Clock } from '../../sync/runtime/index.ts'
import { readApiFile } from './api-file.ts'
import { GatewayAwayError, GatewayRefusedError, type Problem } from './errors.ts'
import { type SseMessage, SseParser } from './sse.ts'

export type Query = Readonly<Record<string, string | undefined>>

export interface Answer<T> {
  body: T
  /** The `ETag` without its quotes; null when there was none. */
  revision: string | null
}

/** How long an ordinary request may take. */
const ANSWER_WITHIN: Millis = 10_000

/** A stream says something every 15 s; one that is silent for so long is dead, whatever the socket says. */
const SILENT_AT_MOST: Millis = 45_000

/**
 * The gateway's HTTP API as its `api.json` describes it.
 *
 * @throws GatewayAwayError from every method, when the gateway cannot be reached or is not ready
 * @throws GatewayRefusedError from every method, when it answers that it will not
 */
export class GatewayApi {
  readonly #file: string
  readonly #clock: Clock

  constructor(file: string, clock: Clock) {
    this.#file = file
    this.#clock = clock
  }

  get<T>(path: string, query: Query = {}): Promise<T> {
    return this.#ask<T>('GET', path, query).then(({ body }) => body)
  }

  put<T>(path: string, query: Query, body: unknown): Promise<Answer<T>> {
    return this.#ask<T>('PUT', path, query, body)
  }

  post<T>(path: string, body: unknown): Promise<T> {
    return this.#ask<T>('POST', path, {}, body).then((answer) => answer.body)
  }

  /**
   * Messages of a stream, until `signal` aborts (then it ends) or the connection breaks (then it throws `GatewayAwayError`).
   *
   * @param opened called when the gateway has taken the request
   */
  async *stream(path: string, query: Query, signal: AbortSignal, opened: () => void): AsyncGenerator<SseMessage> {
    const silence = new AbortController()
    const watch = (): (() => void) => this.#clock.after(SILENT_AT_MOST, () => silence.abort())
    let calm = watch()
    const either = AbortSignal.any([signal, silence.signal])
    try {
      const answer = await this.#fetch('GET', path, query, either)
      if (!answer.ok) throw await refusal(answer)
      opened()
      const parser = new SseParser()
      const decoder = new TextDecoder()
      for await (const chunk of answer.body ?? []) {
        calm()
        calm = watch()
        yield* parser.take(decoder.decode(chunk, { stream: true }))
      }
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof GatewayRefusedError || error instanceof GatewayAwayError) throw error
      throw new GatewayAwayError(`the stream ${path} broke off`, error)
    } finally {
      calm()
    }
    if (!signal.aborted) throw new GatewayAwayError(`the gateway ended the stream ${path}`)
  }

  async #ask<T>(method: string, path: string, query: Query, body?: unknown): Promise<Answer<T>> {
    const answer = await this.#fetch(method, path, query, AbortSignal.timeout(ANSWER_WITHIN), body)
    if (!answer.ok) throw await refusal(answer)
    const revision = answer.headers.get('etag')?.replace(/^(?:W\/)?"(.*)"$/, '$1') ?? null
    const parsed = await answer.json().catch((cause: unknown) => {
      throw new GatewayAwayError(`the answer to ${method} ${path} broke off`, cause)
    })
    return { body: parsed as T, revision }
  }

  async #fetch(method: string, path: string, query: Query, signal: AbortSignal, body?: unknown): Promise<Response> {
    const { url, token } = await readApiFile(this.#file)
    const target = new URL(path, url)
    for (const [name, value] of Object.entries(query)) if (value !== undefined) target.searchParams.set(name, value)
    try {
      return await fetch(target, {
        method,
        signal,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
    } catch (cause) {
      throw new GatewayAwayError(`the gateway does not answer at ${url}`, cause)
    }
  }
}

async function refusal(answer: Response): Promise<GatewayAwayError | GatewayRefusedError> {
  const { error } = ((await answer.json().catch(() => null)) ?? {}) as {
    error?: { code?: string; message?: string; problems?: Problem[] }
  }
  const message = error?.message ?? `the gateway answered ${answer.status}`
  // 401: the file still names the token of the life before.
  const passing = answer.status >= 500 || answer.status === 401 || answer.status === 408 || answer.status === 429
  if (passing) return new GatewayAwayError(message)
  return new GatewayRefusedError(answer.status, error?.code ?? 'GATEWAY_REFUSED', message, error?.problems ?? [])
}
