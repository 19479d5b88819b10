import { fc, test } from '@fast-check/vitest'
import { describe, expect, it } from 'vitest'
import { type Batch, decodeBatch, type StoredMessage } from '../../../sync/consumer/batch.ts'
import { BoundedMap } from '../../../sync/consumer/bounded-map.ts'
import { checkPosition, type Position } from '../../../sync/consumer/position-check.ts'
import { kvPositions } from '../../../sync/consumer/positions.ts'
import { describeReport } from '../../../sync/consumer/report.ts'
import { SubjectQueues } from '../../../sync/consumer/subject-queues.ts'
import { HEADERS } from '../../../sync/contract/index.ts'

const batch = (from: number, to: number, more: Partial<Batch> = {}): Batch => ({
  origin: 'readings.s.g/e',
  site: 's',
  gateway: 'g',
  from,
  to,
  term: 1,
  lineage: null,
  gaps: [],
  lines: [],
  offsets: [],
  source: null,
  ...more,
})

const at = (last: number, more: Partial<Position> = {}): Position => ({
  last,
  term: 1,
  lineage: null,
  restored: false,
  ...more,
})

describe('the check of positions', () => {
  it('takes the first batch of an origin wherever it begins', () => {
    expect(checkPosition(null, batch(70, 79), false)).toMatchObject({ after: 69, findings: [], next: { last: 79 } })
  })

  it.each<[string, Position, Batch, boolean, object[]]>([
    ['nothing when it follows', at(9), batch(10, 19), false, []],
    ['a hole', at(9), batch(12, 19), false, [{ kind: 'gap', from: 10, to: 11 }]],
    ['a repeat', at(9), batch(0, 9), false, [{ kind: 'repeat', from: 0, to: 9 }]],
    ['an overlap', at(9), batch(5, 14), false, [{ kind: 'regress', why: 'overlap', from: 5, to: 9 }]],
    ['that work goes on, when it comes again', at(9), batch(5, 14), true, [{ kind: 'resume', from: 5, to: 9 }]],
    [
      'that work goes on, after a restart',
      at(9, { restored: true }),
      batch(5, 14),
      false,
      [{ kind: 'resume', from: 5, to: 9 }],
    ],
    [
      'a writer that was fenced off',
      at(9, { term: 3 }),
      batch(10, 14),
      false,
      [{ kind: 'regress', why: 'term', from: 10, to: 14 }],
    ],
    [
      'another history',
      at(9, { lineage: { at: 9, value: 7 } }),
      batch(5, 9, { lineage: 8 }),
      false,
      [{ kind: 'regress', why: 'lineage', from: 5, to: 9 }],
    ],
    [
      'a repeat of the same history',
      at(9, { lineage: { at: 9, value: 7 } }),
      batch(5, 9, { lineage: 7 }),
      false,
      [{ kind: 'repeat', from: 5, to: 9 }],
    ],
    [
      'only the new part of a declared hole',
      at(9),
      batch(5, 14, {
        gaps: [
          { from: 6, to: 7, reason: 'evicted' },
          { from: 9, to: 11, reason: 'damaged' },
        ],
      }),
      true,
      [
        { kind: 'resume', from: 5, to: 9 },
        { kind: 'declared', from: 10, to: 11, reason: 'damaged' },
      ],
    ],
  ])('finds %s', (_, known, incoming, redelivered, findings) => {
    const verdict = checkPosition(known, incoming, redelivered)
    expect(verdict.findings).toEqual(findings)
    expect(verdict.after).toBe(known.last)
    expect(verdict.next.last).toBe(Math.max(known.last, incoming.to))
    for (const finding of verdict.findings) {
      const report = { ...finding, origin: 'readings.s.g/e', subject: 'readings.s.g', sequence: 3, redelivered }
      expect(describeReport(report)).toMatch(/^readings\.s\.g\/e: .*message 3\)$/)
    }
  })
})

describe('a message', () => {
  const message = (headers: Record<string, string>, body = ''): StoredMessage => ({
    subject: 'readings.s.g',
    sequence: 1,
    headers: new Map(Object.entries(headers)),
    body: Buffer.from(body),
  })
  const pack = (from: number | string, to: number | string, count: number | string, gaps?: string) => ({
    [HEADERS.epoch]: 'e',
    [HEADERS.from]: String(from),
    [HEADERS.to]: String(to),
    [HEADERS.term]: '1',
    [HEADERS.count]: String(count),
    ...(gaps === undefined ? {} : { [HEADERS.gaps]: gaps }),
  })

  it.each([
    ['holes outside of its range', pack(0, 9, 5, '10-14 evicted')],
    ['holes that overlap', pack(0, 9, 2, '1-4 evicted, 4-7 evicted')],
    ['holes in the wrong order', pack(0, 9, 6, '7-8 evicted, 1-2 evicted')],
    [
      'a hole that would take for ever to count',
      pack(0, '1000000000000000', 0, '900000000000000-1900000000000000 evicted'),
    ],
  ])('with %s is not of a gateway', async (_, headers) => {
    await expect(decodeBatch('readings', message(headers))).rejects.toMatchObject({ name: 'DeadLetterError' })
  })

  test.prop([
    fc.dictionary(fc.constantFrom(...Object.values(HEADERS), 'ce-id', 'ce-source', 'ce-type'), fc.string()),
    fc.uint8Array(),
    fc.constantFrom('readings' as const, 'events' as const, 'deadletters' as const),
    fc.string(),
  ])('of any kind is decoded or refused with a reason', async (headers, body, lane, subject) => {
    const made = { ...message(headers), body, subject }
    const refused = await decodeBatch(lane, made).catch((error: Error) => error.name)
    expect(refused === 'DeadLetterError' || typeof refused === 'object').toBe(true)
  })
})

describe('queues', () => {
  test.prop([fc.array(fc.nat(3), { maxLength: 30 }), fc.integer({ min: 1, max: 4 })])(
    'run the tasks of a subject in order, and never more at once than allowed',
    async (subjects, concurrency) => {
      const queues = new SubjectQueues(concurrency)
      const done = new Map<number, number[]>()
      const busy = new Set<number>()
      let most = 0
      subjects.forEach((subject, i) => {
        queues.push(String(subject), async () => {
          expect(busy.has(subject)).toBe(false)
          busy.add(subject)
          most = Math.max(most, busy.size)
          await new Promise((resolve) => setImmediate(resolve))
          busy.delete(subject)
          done.set(subject, [...(done.get(subject) ?? []), i])
        })
      })
      await queues.idle()
      expect([...done.values()].flat().length).toBe(subjects.length)
      for (const order of done.values()) expect(order).toEqual(order.toSorted((a, b) => a - b))
      expect(most).toBe(Math.min(concurrency, new Set(subjects).size))
    },
  )
})

describe('a bounded map', () => {
  it('forgets what was set longest ago', () => {
    const map = new BoundedMap<number>(2)
    map.set('a', 1)
    map.set('b', 2)
    map.set('a', 3)
    map.set('c', 4)
    expect([map.get('a'), map.get('b'), map.get('c')]).toEqual([3, undefined, 4])
  })
})

describe('positions in a bucket', () => {
  const bucket = () => {
    const entries = new Map<string, { string(): string; operation: string }>()
    return {
      entries,
      get: async (key: string) => entries.get(key) ?? null,
      put: async (key: string, value: string) => entries.set(key, { string: () => value, operation: 'PUT' }),
    }
  }

  it('are kept under keys that a bucket allows', async () => {
    const store = bucket()
    const positions = kvPositions(store)
    await positions.save('readings.a:b@c.=C3=BC/e', 41)
    expect([...store.entries.keys()]).toEqual(['readings.a=3Ab=40c.=C3=BC/e'])
    expect(await positions.load('readings.a:b@c.=C3=BC/e')).toBe(41)
    expect(await positions.load('another')).toBeNull()
  })

  it('that were deleted are unknown, and damaged ones are a matter for a person', async () => {
    const store = bucket()
    const positions = kvPositions(store)
    store.entries.set('a', { string: () => '', operation: 'DEL' })
    expect(await positions.load('a')).toBeNull()
    await store.put('b', 'x1')
    await expect(positions.load('b')).rejects.toMatchObject({ code: 'POSITION_INVALID', name: 'OperatorError' })
  })
})
