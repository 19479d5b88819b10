import {
  describeError,
  type Millis,
  OperatorError,
  RetryableError,
  TidegateError,
} from '../../../sync/contract/index.ts'
import { type Clock, withTimeLimit } from '../../../sync/runtime/index.ts'
import { type ApiFile, readApiFile } from '../../api/index.ts'
import type { Context } from '../command.ts'
import { dataDir } from '../data-dir.ts'

export type ApiQuery = Readonly<Record<string, string | undefined>>

export interface ApiRequest {
  method?: 'GET' | 'PUT' | 'POST' | 'DELETE'
  path: string
  query?: ApiQuery
  /** JSON */
  body?: unknown
  headers?: Readonly<Record<string, string>>
}

export interface ApiAnswer<T> {
  value: T
  /** Of a rule set: its revision; null where the answer has none. */
  revision: string | null
}

/** An answer comes when what was asked for is on disk, so a slow disk is not an absent gateway. */
const PATIENCE: Millis = 30_000

/** The client for the gateway that the options of a command name. */
export async function apiClient(
  options: { config: string | undefined; data: string | undefined },
  { env, signal, clock }: Context,
): Promise<ApiClient> {
  return new ApiClient(await dataDir(options, env), clock, signal)
}

/**
 * Talks to the gateway that runs on a data folder. What the gateway refuses is thrown with the code that it gave: `RULES_INVALID` as
 * what a person must mend, what can be tried again as `RetryableError`.
 */
export class ApiClient {
  readonly #dataDir: string
  readonly #clock: Clock
  readonly #signal: AbortSignal

  /** @param signal gives up what is under way */
  constructor(dataDir: string, clock: Clock, signal: AbortSignal) {
    this.#dataDir = dataDir
    this.#clock = clock
    this.#signal = signal
  }

  /** @throws OperatorError `API_NOT_FOUND`, `API_UNREACHABLE`; TidegateError with the code of the gateway's answer */
  request<T>(request: ApiRequest): Promise<ApiAnswer<T>> {
    return withTimeLimit(this.#clock, PATIENCE, this.#signal, (limited) => this.#request(request, limited))
  }

  async #request<T>(request: ApiRequest, signal: AbortSignal): Promise<ApiAnswer<T>> {
    const file = await readApiFile(this.#dataDir)
    const response = await this.#fetch(file, request, signal)
    try {
      const value = (await response.json()) as T
      return { value, revision: /^"(.*)"$/.exec(response.headers.get('etag') ?? '')?.[1] ?? null }
    } catch (cause) {
      throw this.#unreachable(file, cause)
    }
  }

  /**
   * An endless answer. Asks anew where the gateway is: it may have started again, on another port.
   *
   * @throws as `request`
   */
  async open(request: ApiRequest, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const response = await this.#fetch(await readApiFile(this.#dataDir), request, signal)
    // An answer to fetch has a body, unless its status says that there is none.
    return response.body ?? (async function* () {})()
  }

  async #fetch(file: ApiFile, request: ApiRequest, signal: AbortSignal): Promise<Response> {
    const { method = 'GET', path, query = {}, body, headers = {} } = request
    const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined)
    const search = given.length > 0 ? `?${new URLSearchParams(given)}` : ''
    let response: Response
    try {
      response = await fetch(`${file.url}${path}${search}`, {
        method,
        headers: {
          ...headers,
          authorization: `Bearer ${file.token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal,
      })
    } catch (cause) {
      throw this.#unreachable(file, cause)
    }
    if (!response.ok) throw await this.#refusal(file, response)
    return response
  }

  #unreachable({ url }: ApiFile, cause: unknown): unknown {
    // Somebody stopped the command: that is no failure of the gateway.
    if (this.#signal.aborted) return cause
    return new OperatorError(
      'API_UNREACHABLE',
      `no answer from the gateway at ${url} (${describeError(cause)}); is it still running? ${this.#dataDir}/api.json says that it was`,
      { cause },
    )
  }

  async #refusal(file: ApiFile, response: Response): Promise<unknown> {
    const { status } = response
    let error: { code?: unknown; message?: unknown } | undefined
    try {
      error = ((await response.json()) as { error?: typeof error }).error
    } catch (cause) {
      return this.#unreachable(file, cause)
    }
    const { code, message } = error ?? {}
    if (typeof code !== 'string' || typeof message !== 'string')
      return this.#unreachable(file, new Error(`status ${status} in a form that no gateway gives`))
    if (code === 'RULES_INVALID') return new OperatorError(code, message)
    return status >= 500 ? new RetryableError(code, message) : new TidegateError(code, message)
  }
}
