import {
  JetStreamApiError,
  type JetStreamClient,
  JetStreamError,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  type StoredMsg,
} from '@nats-io/jetstream'
import {
  type Authenticator,
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  type MsgHdrs,
  type NatsConnection,
  headers as newHeaders,
  RequestError,
  type TlsOptions,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node'
import { type Bytes, describeError, type Millis, RetryableError, type StreamSequence } from '../contract/index.ts'
import type {
  CentralDialer,
  CentralSession,
  ChainMessage,
  OutgoingMessage,
  StreamFacts,
  StreamPlan,
} from './central.ts'
import { RefusedError, StreamMissingError, UnknownOutcomeError, WrongLastSequenceError } from './errors.ts'

export interface NatsSettings {
  servers: readonly string[]
  /** Shown in the server's list of connections. */
  name: string
  dialTimeout: Millis
  pingInterval: Millis
  user?: string
  password?: string
  token?: string
  /** Text of a .creds file. */
  credentials?: string
  tls?: TlsOptions
}

/** https://github.com/nats-io/nats-server/blob/main/server/errors.json */
const API_ERROR = { streamNotFound: 10059, wrongLastSequence: 10071, wrongLastSequenceUnknown: 10164 } as const
const MISSED_PINGS = 2

/**
 * Dials NATS. The client's own reconnecting is off: a connection that is revived would discard what was published while
 * it was away, without a word. A session here lives once.
 */
export function natsDialer(settings: NatsSettings): CentralDialer {
  return {
    async dial(signal) {
      return await openSession(await connectNats(settings, signal))
    },
  }
}

/** How a connection that comes back by itself waits between attempts. */
export interface ReconnectSettings {
  wait: Millis
  jitter: Millis
}

/**
 * One connection to the first server that answers.
 *
 * @param reconnect let the client dial again by itself, for as long as it takes; null = a connection that is over stays over
 * @throws RetryableError `LINK_DIAL_FAILED`, and `LINK_DIAL_ABANDONED` once `signal` aborts
 */
export async function connectNats(
  settings: NatsSettings,
  signal: AbortSignal,
  reconnect: ReconnectSettings | null = null,
): Promise<NatsConnection> {
  const dialing = connect(connectionOptions(settings, reconnect))
  let abandon = (): void => {}
  const abandoned = new Promise<never>((_, reject) => {
    abandon = () => reject(new RetryableError('LINK_DIAL_ABANDONED', 'dialling was given up'))
  })
  if (signal.aborted) abandon()
  else signal.addEventListener('abort', abandon)
  try {
    return await Promise.race([dialing, abandoned])
  } catch (error) {
    // Whoever wins the race later is not wanted any more.
    dialing.then(
      (late) => late.close(),
      () => undefined,
    )
    if (error instanceof RetryableError) throw error
    throw new RetryableError(
      'LINK_DIAL_FAILED',
      `cannot connect to ${settings.servers.join(', ')}: ${describeError(error)}`,
      { cause: error },
    )
  } finally {
    signal.removeEventListener('abort', abandon)
  }
}

function connectionOptions(settings: NatsSettings, reconnect: ReconnectSettings | null): ConnectionOptions {
  const options: ConnectionOptions = {
    servers: [...settings.servers],
    name: settings.name,
    reconnect: reconnect !== null,
    timeout: settings.dialTimeout,
    pingInterval: settings.pingInterval,
    maxPingOut: MISSED_PINGS,
    noAsyncTraces: true,
    ignoreClusterUpdates: true,
  }
  if (reconnect !== null) {
    options.maxReconnectAttempts = -1
    options.reconnectTimeWait = reconnect.wait
    options.reconnectJitter = reconnect.jitter
    options.reconnectJitterTLS = reconnect.jitter
    options.ignoreAuthErrorAbort = true
  }
  const authenticators: Authenticator[] = []
  if (settings.credentials !== undefined)
    authenticators.push(credsAuthenticator(new TextEncoder().encode(settings.credentials)))
  if (settings.token !== undefined) authenticators.push(tokenAuthenticator(settings.token))
  if (settings.user !== undefined) authenticators.push(usernamePasswordAuthenticator(settings.user, settings.password))
  if (authenticators.length > 0) options.authenticator = authenticators
  if (settings.tls !== undefined) options.tls = settings.tls
  return options
}

async function openSession(connection: NatsConnection): Promise<NatsSession> {
  const manager = await jetstreamManager(connection, { checkAPI: false })
  return new NatsSession(connection, jetstream(connection), manager)
}

class NatsSession implements CentralSession {
  readonly maxPayload: Bytes
  readonly closed: Promise<Error | null>
  readonly #connection: NatsConnection
  readonly #client: JetStreamClient
  readonly #manager: JetStreamManager

  constructor(connection: NatsConnection, client: JetStreamClient, manager: JetStreamManager) {
    this.#connection = connection
    this.#client = client
    this.#manager = manager
    this.maxPayload = connection.info?.max_payload ?? 1024 * 1024
    this.closed = connection.closed().then((error) => (error instanceof Error ? error : null))
  }

  async append(message: OutgoingMessage, expected: StreamSequence | null, timeout: Millis): Promise<StreamSequence> {
    const what = `a message on '${message.subject}'`
    try {
      const ack = await this.#client.publish(message.subject, message.body, {
        headers: encodeHeaders(message.headers),
        timeout,
        retries: 1,
        expect: { streamName: message.stream, ...(expected === null ? {} : { lastSubjectSequence: expected }) },
      })
      return ack.seq
    } catch (error) {
      if (error instanceof JetStreamApiError && expected !== null) {
        if (error.code === API_ERROR.wrongLastSequence)
          throw new WrongLastSequenceError(message.subject, expected, actualSequence(error.message))
        if (error.code === API_ERROR.wrongLastSequenceUnknown)
          throw new WrongLastSequenceError(message.subject, expected, null)
      }
      throw mapError(error, what, message.stream)
    }
  }

  head(stream: string, subject: string, timeout: Millis): Promise<ChainMessage | null> {
    return this.#get(stream, { last_by_subj: subject }, timeout)
  }

  nextFrom(stream: string, subject: string, from: StreamSequence, timeout: Millis): Promise<ChainMessage | null> {
    return this.#get(stream, { next_by_subj: subject, seq: from }, timeout)
  }

  async facts(stream: string, timeout: Millis): Promise<StreamFacts> {
    try {
      const info = await withTimeout(this.#manager.streams.info(stream), timeout, `stream ${stream}`)
      const { created, state } = info
      return { created, firstSequence: state.first_seq, lastSequence: state.last_seq, at: answeredAt(info) }
    } catch (error) {
      throw mapError(error, `the state of stream ${stream}`, stream)
    }
  }

  async provision(plan: StreamPlan, timeout: Millis): Promise<void> {
    try {
      await withTimeout(this.#manager.streams.add({ ...plan }), timeout, `creating stream ${plan.name}`)
    } catch (error) {
      throw mapError(error, `creating stream ${plan.name}`)
    }
  }

  async close(): Promise<void> {
    await this.#connection.close()
  }

  async #get(
    stream: string,
    query: { last_by_subj: string } | { next_by_subj: string; seq: number },
    timeout: Millis,
  ): Promise<ChainMessage | null> {
    const what = `the newest message of stream ${stream}`
    try {
      const message = await withTimeout(this.#manager.direct.getMessage(stream, query), timeout, what)
      return message ? chainMessage(message) : null
    } catch (error) {
      throw mapError(error, what, stream)
    }
  }
}

/** The server says it (`ts`), the client library's types do not. */
function answeredAt(info: object): Millis | null {
  const at = 'ts' in info && typeof info.ts === 'string' ? Date.parse(info.ts) : Number.NaN
  return Number.isNaN(at) ? null : at
}

function chainMessage(message: StoredMsg): ChainMessage {
  const headers = new Map<string, string>()
  for (const [name, values] of message.header) headers.set(name, values[0] ?? '')
  return { sequence: message.seq, headers, body: message.data }
}

function encodeHeaders(pairs: OutgoingMessage['headers']): MsgHdrs {
  const encoded = newHeaders()
  for (const [name, value] of pairs) encoded.set(name, value)
  return encoded
}

/** The manager's calls have one timeout for all; ours is the caller's. */
async function withTimeout<T>(call: Promise<T>, timeout: Millis, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new UnknownOutcomeError(what)), timeout)
  })
  try {
    return await Promise.race([call, late])
  } finally {
    clearTimeout(timer)
  }
}

/** `wrong last sequence: 1234` */
function actualSequence(text: string): StreamSequence | null {
  const found = /wrong last sequence: (\d+)/.exec(text)
  return found ? Number(found[1]) : null
}

/** An answer of the server means that nothing was stored; anything else leaves it open. */
function mapError(error: unknown, what: string, stream?: string): RetryableError {
  if (error instanceof RetryableError) return error
  if (error instanceof JetStreamApiError) {
    if (error.code === API_ERROR.streamNotFound) return new StreamMissingError(stream ?? what, error)
    return new RefusedError(what, `${error.message} (${error.code})`, error)
  }
  if (isUnheard(error) || (error instanceof Error && isUnheard(error.cause)))
    return stream === undefined
      ? new RefusedError(what, 'nobody answers there; is JetStream on, and does the stream exist?', error)
      : new StreamMissingError(stream, error)
  // The server answered a direct get with a status; nothing was asked to be stored.
  if (error instanceof JetStreamError) return new RefusedError(what, error.message, error)
  return new UnknownOutcomeError(what, error)
}

/** Nobody listens on the subject. The client wraps it as "JetStream is not enabled", which is one of the reasons. */
const isUnheard = (error: unknown): boolean => error instanceof RequestError && error.isNoResponders()
