import { connectAsync, type MqttClient } from 'mqtt'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { runGateway } from '../../../../support/running-gateway.ts'
import { PATIENCE } from '../support/raw-client.ts'
import { startTestServer5 } from './support.ts'

/** The code of each answer; a gateway in full, with a store of its own. */
async function device(url: string) {
  const client: MqttClient = await connectAsync(url, { protocolVersion: 5, reconnectPeriod: 0 })
  onTestFinished(() => client.endAsync(true))
  const publish = (topic: string, payload: string): Promise<{ code: number; text: string }> =>
    client.publishAsync(topic, payload, { qos: 1 }).then(
      () => ({ code: 0, text: '' }),
      (error: { code: number; message: string }) => ({ code: error.code, text: error.message }),
    )
  return { client, publish }
}

describe('a gateway whose outbox is full', () => {
  test('says 0x97 to publishes, keeps the connection, and takes them when there is room again', async () => {
    const { gateway } = await runGateway({
      config: (config) => {
        config.outbox.maxBytes = 1024 * 1024
        config.outbox.whenFull = 'reject'
      },
    })
    const { client, publish } = await device(gateway.listeners[0] ?? '')
    const filler = JSON.stringify('x'.repeat(1_000))
    let last = { code: 0, text: '' }
    for (let round = 0; round < 200 && last.code === 0; round++) {
      const answers = await Promise.all(Array.from({ length: 20 }, () => publish('sensors/a/t', filler)))
      last = answers.at(-1) ?? last
    }
    expect(last.code).toBe(0x97)
    expect(client.connected).toBe(true)
    // What stays on site goes on.
    expect(await publish('local/x', '1')).toMatchObject({ code: 0 })
    const { counters, outbox } = await gateway.status()
    expect(counters['refused']).toBeGreaterThan(0)
    expect(outbox.full).not.toBeNull()
  })
})

describe('over TLS’s and the web’s transports, too', () => {
  test('WebSocket: publishes are answered, and a connection that ends is told why', async () => {
    const { client, acceptor } = await startTestServer5({ listeners: [{ kind: 'ws', host: '127.0.0.1', port: 0 }] })
    const first = await client({ protocolVersion: 5, clientId: 'd' })
    await first.publishAsync('sensors/a/t', '1', { qos: 1 })
    expect(acceptor.texts()).toEqual(['1'])
    const reasons: unknown[] = []
    first.on('disconnect', ({ reasonCode }) => reasons.push(reasonCode))
    await client({ protocolVersion: 5, clientId: 'd' })
    await vi.waitFor(() => expect(reasons).toEqual([0x8e]), PATIENCE)
  })
})
