import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'

export const STREAM = 'READINGS'

/** Does something with a connection that is closed afterwards. */
export async function withConnection<T>(urls: readonly string[], use: (nc: NatsConnection) => Promise<T>): Promise<T> {
  const nc = await connect({ servers: [...urls] })
  try {
    return await use(nc)
  } finally {
    await nc.close()
  }
}

export const createStream = (urls: readonly string[], replicas: number): Promise<void> =>
  withConnection(urls, async (nc) => {
    const manager = await jetstreamManager(nc)
    await manager.streams.add({ name: STREAM, subjects: ['readings.>'], num_replicas: replicas })
  })

/**
 * Asks again while the node does not know yet who answers for the stream: that spreads a moment after a leader is there.
 *
 * @returns the sequence that the message got
 */
export const publish = (urls: readonly string[], text: string): Promise<number> =>
  withConnection(urls, async (nc) => (await jetstream(nc).publish('readings.a', text, { retries: 40 })).seq)

export const messageCount = (urls: readonly string[]): Promise<number> =>
  withConnection(urls, async (nc) => (await (await jetstreamManager(nc)).streams.info(STREAM)).state.messages)
