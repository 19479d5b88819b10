import { spawn } from 'node:child_process'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { run, whyNot } from './support/programs.ts'
import { PATIENCE } from './support/raw-client.ts'
import { startTestServer, type TestServer } from './support/server.ts'

const noMosquitto = await whyNot(
  'mosquitto-clients',
  ['mosquitto_pub', '--version'],
  ['sh', '-c', 'command -v mosquitto_pub'],
)
/** Another Python may come first on the path. */
const PYTHONS = ['python3', '/usr/bin/python3']
const noPaho = await whyNot('python3-paho-mqtt', ...PYTHONS.map((python) => [python, '-c', 'import paho.mqtt']))

const VERSIONS = ['mqttv311', 'mqttv5']

/** Starts mosquitto_sub, and resolves when it has subscribed. */
async function subscriber(server: TestServer, version: string, ...more: string[]) {
  const args = ['-p', `${server.port}`, '-V', version, '-q', '1', '-v', '-d', ...more]
  // Into a pipe it would say nothing before it has said 4 kB.
  const child = spawn('stdbuf', ['-oL', 'mosquitto_sub', ...args])
  onTestFinished(() => void child.kill())
  let output = ''
  child.stdout.on('data', (data: Buffer) => {
    output += data.toString()
  })
  await vi.waitFor(() => expect(output).toMatch(/Subscribed \(mid/), PATIENCE)
  return { child, output: () => output }
}

describe.skipIf(noMosquitto !== null).each(VERSIONS)('mosquitto_pub and mosquitto_sub, %s', (version) => {
  const publish = (server: TestServer, ...args: string[]) =>
    run('mosquitto_pub', ['-p', `${server.port}`, '-V', version, '-i', 'me', '-d', ...args])

  test.each([0, 1, 2])('publish and receive at QoS %d', async (qos) => {
    const server = await startTestServer()
    const { output } = await subscriber(server, version, '-t', '#')
    const { code, output: said } = await publish(server, '-t', 'sensors/me/t', '-q', `${qos}`, '-m', '21.5')
    expect([code, said]).toEqual([0, expect.stringContaining('CONNACK (0)')])
    expect(server.acceptor.texts()).toEqual(['21.5'])
    await vi.waitFor(() => expect(output()).toContain('sensors/me/t 21.5'), PATIENCE)
  })

  test('many, line by line, are all stored in order', async () => {
    const server = await startTestServer()
    const lines = Array.from({ length: 1_000 }, (_, n) => `${n}`)
    const args = ['-p', `${server.port}`, '-V', version, '-t', 'sensors/me/t', '-q', '1', '-l']
    expect((await run('mosquitto_pub', args, `${lines.join('\n')}\n`)).code).toBe(0)
    expect(server.acceptor.texts()).toEqual(lines)
  })

  test('leave a will, and come back to their session', async () => {
    const server = await startTestServer()
    const args = ['-i', 'tap', '-c', ...(version === 'mqttv5' ? ['-x', '60'] : [])]
    const will = ['--will-topic', 'wills/tap', '--will-payload', 'gone']
    const { child } = await subscriber(server, version, '-t', 'x', ...args, ...will)
    child.kill('SIGKILL')
    await vi.waitFor(() => expect(server.acceptor.texts()).toEqual(['gone']), PATIENCE)
    await publish(server, '-t', 'x', '-q', '1', '-m', 'missed')
    const again = await subscriber(server, version, '-t', 'x', ...args)
    await vi.waitFor(() => expect(again.output()).toContain('x missed'), PATIENCE)
  })
})

describe.skipIf(noMosquitto !== null)('mosquitto_pub of MQTT 5', () => {
  test('is told why', async () => {
    const server = await startTestServer()
    server.acceptor.verdict = { outcome: 'dead letter', problem: { code: 'PAYLOAD_NOT_JSON', reason: 'no' } }
    const args = ['-p', `${server.port}`, '-V', 'mqttv5', '-t', 'sensors/me/t', '-q', '1', '-m', '{', '-d']
    const { output } = await run('mosquitto_pub', args)
    expect(output).toMatch(/RC:153|Payload format invalid/)
  })

  test('says properties, and mosquitto_sub reads them', async () => {
    const server = await startTestServer()
    const { output } = await subscriber(server, 'mqttv5', '-t', '#', '-F', '%t %p %P %C %R %D %E')
    const properties = [
      ['user-property', 'line', 'a'],
      ['content-type', 'text/plain'],
      ['response-topic', 'answers'],
      ['correlation-data', 'abc'],
      ['message-expiry-interval', '60'],
      ['topic-alias', '3'],
    ].flatMap((property) => ['-D', 'publish', ...property])
    const args = ['-p', `${server.port}`, '-V', 'mqttv5', '-t', 'local/x', '-q', '1', '-m', '1', ...properties]
    expect((await run('mosquitto_pub', args)).code).toBe(0)
    await vi.waitFor(() => expect(output()).toContain('local/x 1 line:a text/plain answers abc 60'), PATIENCE)
    expect(server.acceptor.received[0]?.said).toMatchObject({ user: [['line', 'a']], contentType: 'text/plain' })
  })
})

/** Publishes at each QoS, receives what it published, and says how each was answered. */
const PAHO = `
import sys, threading
import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
port, version = int(sys.argv[1]), int(sys.argv[2])
subscribed, received, done = threading.Event(), [], threading.Event()
client = mqtt.Client(client_id='paho', protocol=version)
def on_connect(client, data, flags, reason, properties=None):
    print('connack', reason, flush=True)
    client.subscribe('#', 1)
def on_message(client, data, message):
    words = dict(message.properties.UserProperty) if version == 5 and hasattr(message.properties, 'UserProperty') else {}
    received.append(message.payload.decode())
    print('received', message.payload.decode(), message.qos, words, flush=True)
    if len(received) == 3: done.set()
client.on_connect = on_connect
client.on_subscribe = lambda *args: subscribed.set()
client.on_message = on_message
client.connect('127.0.0.1', port, 30)
client.loop_start()
assert subscribed.wait(10)
more = {}
if version == 5:
    more['properties'] = Properties(PacketTypes.PUBLISH)
    more['properties'].UserProperty = ('line', 'a')
for qos in (0, 1, 2):
    client.publish('sensors/me/t', str(qos), qos, **more).wait_for_publish(10)
assert done.wait(10)
client.disconnect()
client.loop_stop()
`

describe.skipIf(noPaho !== null)('Paho for Python', () => {
  test.each([
    [3, 4],
    [5, 5],
  ])('MQTT %d: publishes and receives', async (_name, version) => {
    const server = await startTestServer()
    const python = (await run('python3', ['-c', 'import paho.mqtt'])).code === 0 ? 'python3' : '/usr/bin/python3'
    const { code, output } = await run(python, ['-c', PAHO, `${server.port}`, `${version}`])
    expect([code, output]).toEqual([0, expect.stringMatching(/^connack (0|Success)\n/)])
    expect(server.acceptor.texts()).toEqual(['0', '1', '2'])
    const words = version === 5 ? "{'line': 'a'}" : '{}'
    for (const line of [`0 0 ${words}`, `1 1 ${words}`, `2 1 ${words}`]) expect(output).toContain(`received ${line}\n`)
  })
})
