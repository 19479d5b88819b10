import { describe, expect, test, vi } from 'vitest'
import { type QueuedMessage, type SessionLimits, Sessions } from '../../../../gateway/ingest/mqtt/sessions.ts'

const roomy: SessionLimits = { maxSessions: 10, maxQueuedMessages: 10, maxQueuedBytes: 1000 }

function setUp(limits: Partial<SessionLimits> = {}) {
  const events = { onQueueFull: vi.fn(), onEvicted: vi.fn() }
  return { sessions: new Sessions({ ...roomy, ...limits }, events), events }
}

let counter = 0
function message(payload = 'x'): QueuedMessage {
  counter++
  const brokerCounter = counter
  return {
    cmd: 'publish',
    brokerId: 'b',
    brokerCounter,
    topic: 'a',
    payload: Buffer.from(payload),
    qos: 1,
    messageId: undefined,
  }
}

describe('keepers of a topic', () => {
  test('are each named once, with the highest QoS of their matching subscriptions; QoS 0 keeps nothing', () => {
    const { sessions } = setUp()
    sessions.subscribe('one', 'a/+', 1)
    sessions.subscribe('one', 'a/b', 2)
    sessions.subscribe('two', 'a/#', 0)
    sessions.subscribe('three', 'c', 1)
    expect(sessions.keepers('a/b')).toEqual(new Map([['one', 2]]))
    expect(sessions.keepers('d')).toBeNull()
  })

  test('follow changes of QoS and unsubscribing', () => {
    const { sessions } = setUp()
    sessions.subscribe('one', 'a', 1)
    sessions.subscribe('one', 'a', 2)
    expect(sessions.keepers('a')).toEqual(new Map([['one', 2]]))
    sessions.subscribe('one', 'a', 0)
    expect(sessions.keepers('a')).toBeNull()
    expect(sessions.subscriptions('one')).toEqual([{ topic: 'a', qos: 0 }])
    sessions.subscribe('one', 'a', 1)
    sessions.unsubscribe('one', 'a')
    expect(sessions.keepers('a')).toBeNull()
    expect(sessions.size).toBe(0)
  })
})

describe('bounds', () => {
  test('messages of a session: the newest is dropped', () => {
    const { sessions, events } = setUp({ maxQueuedMessages: 2 })
    sessions.subscribe('one', 'a', 1)
    const [first, second, third] = [message(), message(), message()]
    for (const each of [first, second, third]) if (each !== undefined) sessions.enqueue('one', each)
    expect(sessions.queued('one', 0)).toEqual([first, second])
    expect(events.onQueueFull).toHaveBeenCalledTimes(1)
  })

  test('bytes of all sessions: given back when acknowledged, cleared or evicted', () => {
    const { sessions, events } = setUp({ maxQueuedBytes: 22, maxSessions: 2 })
    for (const id of ['one', 'two']) sessions.subscribe(id, 'a', 1)
    const first = message('x'.repeat(10))
    sessions.enqueue('one', first)
    sessions.enqueue('two', message('x'.repeat(10)))
    sessions.enqueue('two', message(''))
    expect(events.onQueueFull).toHaveBeenCalledTimes(1)
    expect(sessions.queuedBytes).toBe(22)
    sessions.markSent('one', first.brokerCounter, 7)
    expect(sessions.acknowledge('one', 7)).toBe(first)
    expect(sessions.acknowledge('one', 7)).toBeUndefined()
    expect(sessions.queuedBytes).toBe(11)
    sessions.clear('two')
    expect(sessions.queuedBytes).toBe(0)
    expect(sessions.size).toBe(1)
  })

  test('sessions: the longest unused goes, with everything it had', () => {
    const { sessions, events } = setUp({ maxSessions: 2 })
    sessions.subscribe('one', 'a', 1)
    sessions.subscribe('two', 'a', 1)
    sessions.enqueue('two', message())
    sessions.subscriptions('one')
    sessions.subscribe('three', 'a', 1)
    expect(events.onEvicted).toHaveBeenCalledTimes(1)
    expect([...(sessions.keepers('a')?.keys() ?? [])].sort()).toEqual(['one', 'three'])
    expect(sessions.queuedBytes).toBe(0)
  })

  test('what is not kept may be asked for all the same', () => {
    const { sessions } = setUp()
    sessions.enqueue('nobody', message())
    sessions.markSent('nobody', 1, 1)
    sessions.markReceived('nobody', 1)
    sessions.unsubscribe('nobody', 'a')
    sessions.clear('nobody')
    expect(sessions.queued('nobody', 0)).toEqual([])
    expect(sessions.subscriptions('nobody')).toEqual([])
    expect(sessions.size).toBe(0)
  })
})
