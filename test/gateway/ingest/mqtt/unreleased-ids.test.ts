import { expect, test } from 'vitest'
import { UnreleasedIds } from '../../../../gateway/ingest/mqtt/unreleased-ids.ts'

test('an identifier is known from its publish to its release, for its client only', () => {
  const ids = new UnreleasedIds({ maxUnreleased: 10, maxClients: 10 })
  expect(ids.add('a', 1)).toBe(true)
  expect([ids.has('a', 1), ids.has('a', 2), ids.has('b', 1)]).toEqual([true, false, false])
  ids.release('b', 1)
  ids.release('a', 1)
  expect(ids.has('a', 1)).toBe(false)
  expect(ids.clients).toBe(0)
})

test('a client may have so many and no more, until it releases', () => {
  const ids = new UnreleasedIds({ maxUnreleased: 2, maxClients: 10 })
  expect([1, 2, 3].map((id) => ids.add('a', id))).toEqual([true, true, false])
  ids.release('a', 1)
  expect(ids.add('a', 3)).toBe(true)
  ids.releaseAll('a')
  expect(ids.clients).toBe(0)
})

test('clients that never release are forgotten, the oldest first', () => {
  const ids = new UnreleasedIds({ maxUnreleased: 10, maxClients: 2 })
  for (const client of ['a', 'b', 'c']) ids.add(client, 1)
  expect(['a', 'b', 'c'].map((client) => ids.has(client, 1))).toEqual([false, true, true])
})
