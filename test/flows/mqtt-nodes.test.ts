import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startTestServer } from '../gateway/ingest/mqtt/support/server.ts'
import { input, logger, node, tab } from './support/nodes.ts'
import { startTestFlows, type TestFlows } from './support/test-flows.ts'

let t: TestFlows

beforeAll(async () => {
  t = await startTestFlows()
})
afterAll(() => t.stop())

/** What Node-RED's own MQTT nodes need: no node of ours is in the way. */
test.each(['4', '5'])('Node-RED’s MQTT nodes publish and receive with protocol version %s', async (protocolVersion) => {
  const server = await startTestServer()
  const broker = {
    id: 'broker',
    type: 'mqtt-broker',
    broker: '127.0.0.1',
    port: `${server.port}`,
    clientid: `red-${protocolVersion}`,
    autoConnect: true,
    usetls: false,
    protocolVersion,
    keepalive: '60',
    cleansession: true,
    autoUnsubscribe: true,
  }
  const five = protocolVersion === '5'
  await t.deploy([
    tab(),
    broker,
    node('in', 'mqtt in', [['say']], {
      topic: 'sensors/#',
      qos: '1',
      datatype: 'utf8',
      broker: 'broker',
      rap: true,
      rh: 0,
    }),
    logger('say'),
    ...input('one', ['out']),
    node('out', 'mqtt out', [], {
      topic: 'sensors/red/t',
      qos: '1',
      retain: 'false',
      broker: 'broker',
      ...(five && { userProps: '{"line":"a"}', contentType: 'text/plain' }),
    }),
  ])
  const message = { payload: `one of ${protocolVersion}` }
  await vi.waitFor(
    async () => {
      const url = `${t.flows.url}/in/one?m=${encodeURIComponent(JSON.stringify(message))}`
      expect((await fetch(url)).status).toBe(200)
      expect(server.acceptor.texts()[0]).toBe(message.payload)
    },
    { timeout: 15_000, interval: 300 },
  )
  const said = { user: [['line', 'a']], contentType: 'text/plain', expiry: null }
  expect(server.acceptor.received[0]?.said).toEqual(five ? said : undefined)
  await t.logged(`one of ${protocolVersion}`)
})
