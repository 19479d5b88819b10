import { describe, expect, test } from 'vitest'
import { RetainedMessages } from '../../../../gateway/ingest/mqtt/retained-messages.ts'

const setUp = (maxRetainedMessages = 100, maxRetainedBytes = 10_000): RetainedMessages =>
  new RetainedMessages(
    { maxRetainedMessages, maxRetainedBytes },
    () => 0,
    () => undefined,
  )

async function topics(retained: RetainedMessages, ...filters: string[]): Promise<string[]> {
  const found: string[] = []
  for await (const { topic } of retained.matching(filters)) found.push(topic)
  return found
}

describe('retained messages', () => {
  test('are found by name and by wildcard, each once for all filters of a subscription', async () => {
    const retained = setUp()
    for (const topic of ['a/b', 'a/c', 'd', '$internal/a']) retained.store(topic, Buffer.from('x'), 0)
    expect(await topics(retained, 'a/b', 'd', 'missing')).toEqual(['a/b', 'd'])
    expect(await topics(retained, 'a/c', 'a/+', '#', 'a/c')).toEqual(['a/c', 'a/b', 'd'])
    expect(await topics(retained, '$internal/#')).toEqual(['$internal/a'])
  })

  test('own their bytes', async () => {
    const retained = setUp()
    const chunk = Buffer.from('payload of a chunk')
    retained.store('a', chunk.subarray(0, 7), 1)
    chunk.fill(0)
    for await (const message of retained.matching(['a'])) expect(message.payload.toString()).toBe('payload')
  })

  test('are bounded in number; replacing and clearing go on', async () => {
    const retained = setUp(2)
    expect(retained.store('a', Buffer.from('1'), 0)).toBe(true)
    expect(retained.store('b', Buffer.from('1'), 0)).toBe(true)
    expect(retained.store('c', Buffer.from('1'), 0)).toBe(false)
    expect(retained.store('a', Buffer.from('2'), 0)).toBe(true)
    expect(retained.store('b', Buffer.alloc(0), 0)).toBe(true)
    expect(retained.store('c', Buffer.from('1'), 0)).toBe(true)
    expect(await topics(retained, '#')).toEqual(['a', 'c'])
  })

  test('are bounded in bytes; a value that does not fit takes the outdated one with it', async () => {
    const retained = setUp(100, 20)
    retained.store('a', Buffer.alloc(9, 1), 0)
    retained.store('b', Buffer.alloc(9, 1), 0)
    expect(retained.bytes).toBe(20)
    expect(retained.store('a', Buffer.alloc(10, 1), 0)).toBe(false)
    expect(await topics(retained, '#')).toEqual(['b'])
    expect(retained.bytes).toBe(10)
    expect(retained.size).toBe(1)
  })

  test('may change while they are looked through: no topic comes twice, the loop ends', async () => {
    const retained = setUp(100_000, 100_000_000)
    for (let i = 0; i < 2000; i++) retained.store(`t/${i}`, Buffer.from('x'), 0)
    const seen = new Set<string>()
    for await (const { topic } of retained.matching(['t/+'])) {
      expect(seen.has(topic)).toBe(false)
      seen.add(topic)
      retained.store(topic, Buffer.from('again'), 0)
      retained.store(`t/new/${seen.size}`, Buffer.from('x'), 0)
      retained.store(`t/${1999 - seen.size}`, Buffer.alloc(0), 0)
    }
    expect(seen.size).toBeGreaterThan(900)
    expect(seen.size).toBeLessThanOrEqual(2000)
  })
})
