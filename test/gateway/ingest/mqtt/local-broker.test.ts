import { EventEmitter } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import type { Client } from '../../../../gateway/ingest/mqtt/aedes-internals.ts'
import { FanOut } from '../../../../gateway/ingest/mqtt/fan-out.ts'
import { LocalBroker, type LocalMessage } from '../../../../gateway/ingest/mqtt/local-broker.ts'
import { RetainedMessages } from '../../../../gateway/ingest/mqtt/retained-messages.ts'
import { Sessions } from '../../../../gateway/ingest/mqtt/sessions.ts'
import { defaultMqttLimits } from '../../../../gateway/ingest/mqtt/settings.ts'

function setUp() {
  const fanOut = new FanOut<LocalMessage>()
  const refused: string[] = []
  const takenOver: string[] = []
  const broker = new LocalBroker(
    {},
    {
      fanOut,
      retained: new RetainedMessages(
        { maxRetainedMessages: 1, maxRetainedBytes: 100 },
        () => 0,
        () => undefined,
      ),
      sessions: new Sessions(defaultMqttLimits, { onQueueFull: () => undefined, onEvicted: () => undefined }),
    },
    {
      onRetainRefused: (topic) => refused.push(topic),
      onTakenOver: ({ id }) => takenOver.push(id),
      onPublished: () => undefined,
    },
  )
  onTestFinished(() => new Promise<void>((resolve) => broker.close(() => resolve())))
  return { broker, fanOut, refused, takenOver }
}

/** As much of a client as registration looks at. */
function clientNamed(id: string, closed: Client[] = []): Client {
  const client = Object.assign(new EventEmitter(), {
    id,
    close: (done?: () => void) => {
      closed.push(client)
      done?.()
    },
  }) as unknown as Client
  return client
}

test('a client that is not the registered one cannot be unregistered in its place', () => {
  const { broker, takenOver } = setUp()
  const closed: Client[] = []
  const first = clientNamed('d', closed)
  const stranger = clientNamed('d', closed)
  broker.registerClient(first)
  broker.unregisterClient(stranger)
  expect(broker.clients['d']).toBe(first)
  const second = clientNamed('d', closed)
  broker.registerClient(second)
  expect(closed).toEqual([first])
  expect(takenOver).toEqual(['d'])
  expect(broker.clients['d']).toBe(second)
  broker.unregisterClient(second)
  expect(broker.clients['d']).toBeUndefined()
})

test('messages are numbered in the order in which they are published, whatever their QoS', () => {
  const { broker, fanOut } = setUp()
  const got: LocalMessage[] = []
  fanOut.on('#', (message) => got.push(message))
  const reported: string[] = []
  for (const qos of [2, 0, 1, 0] as const) {
    broker.publish({ cmd: 'publish', topic: 'a', payload: `${qos}`, qos, retain: false, dup: true }, () =>
      reported.push(`${qos}`),
    )
  }
  expect(got.map(({ payload }) => payload.toString())).toEqual(['2', '0', '1', '0'])
  expect(reported).toEqual(['2', '0', '1', '0'])
  const numbers = got.map(({ brokerCounter }) => brokerCounter)
  expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
  expect(new Set(numbers).size).toBe(4)
})

test('a retained message that does not fit is reported, and goes out all the same', () => {
  const { broker, fanOut, refused } = setUp()
  const got: string[] = []
  fanOut.on('#', ({ topic }) => got.push(topic))
  for (const topic of ['a', 'b'])
    broker.publish({ cmd: 'publish', topic, payload: 'x', qos: 0, retain: true, dup: false })
  expect(refused).toEqual(['b'])
  expect(got).toEqual(['a', 'b'])
})
