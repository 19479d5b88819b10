import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { HEADERS, type Millis, STREAMS } from '../../sync/contract/index.ts'
import type { Scope } from './scope.ts'

/** A client's view of the centre, past every proxy. */
export interface Observer {
  connection: NatsConnection
  client: JetStreamClient
  manager: JetStreamManager
}

export async function observe(scope: Scope, servers: readonly string[], noAsyncTraces = false): Promise<Observer> {
  const connection = await connect({ servers: [...servers], noAsyncTraces })
  await scope.defer(() => connection.close())
  return { connection, client: jetstream(connection), manager: await jetstreamManager(connection) }
}

/** Readings a second between the first and the last message of a stream, by the server's own time stamps. */
export async function storedPerSecond(
  { manager }: Observer,
  stream: string,
  readings: number,
  inFirst: number,
): Promise<number> {
  const { state } = await manager.streams.info(stream)
  return ((readings - inFirst) * 1000) / timeBetween(state.first_ts, state.last_ts)
}

/** What a gateway's stream of packs holds. */
export async function packsIn({ manager }: Observer): Promise<{ packs: number; readings: number; inFirst: number }> {
  const { state } = await manager.streams.info(STREAMS.readings)
  const header = async (sequence: number, name: string): Promise<number> => {
    const message = await manager.streams.getMessage(STREAMS.readings, { seq: sequence })
    return Number(message?.header.get(name) ?? Number.NaN)
  }
  return {
    packs: state.messages,
    readings: (await header(state.last_seq, HEADERS.to)) + 1,
    inFirst: await header(state.first_seq, HEADERS.count),
  }
}

/** On a busy machine a stream of three copies has no leader now and then: that slows the peer down, it is no reason to end. */
const RETRIES = 40

/** Publishes from memory, each awaited, `inFlight` of them at any time. */
export async function publishAll(
  { client }: Observer,
  options: {
    subject: string
    body: (index: number) => Uint8Array
    count: number
    inFlight: number
    signal: AbortSignal
  },
): Promise<void> {
  const { subject, body, count, inFlight, signal } = options
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < count && !signal.aborted) await client.publish(subject, body(next++), { retries: RETRIES })
  }
  await Promise.all(Array.from({ length: inFlight }, lane))
  signal.throwIfAborted()
}

/** RFC 3339 with nanoseconds, of which `Date` would keep the milliseconds. */
function timeBetween(from: string, to: string): Millis {
  const parse = (text: string): { seconds: number; fraction: number } => ({
    seconds: Date.parse(text.replace(/\.\d+/, '')),
    fraction: Number(/\.\d+/.exec(text)?.[0] ?? 0) * 1000,
  })
  const [a, b] = [parse(from), parse(to)]
  return b.seconds - a.seconds + (b.fraction - a.fraction)
}
