import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import type { StoredMessage } from '../../../sync/consumer/batch.ts'
import { Delivery } from '../../../sync/consumer/delivery.ts'
import { Missed } from '../../../sync/consumer/missed.ts'
import { memoryPositions, type PositionStore } from '../../../sync/consumer/positions.ts'
import type { Report } from '../../../sync/consumer/report.ts'
import { encodeLine, OperatorError, readingsSubject } from '../../../sync/contract/index.ts'
import { encodeFence } from '../../../sync/forward/fence.ts'
import { encodePack } from '../../../sync/forward/pack.ts'
import { SimulatedClock, seededRandom } from '../../../sync/runtime/index.ts'
import { reading } from '../../support/test-centre.ts'

/** What is in the stream: the next pack of a gateway, a copy of an old one, one that goes back a little, or rubbish. */
type Content =
  | { kind: 'pack'; gateway: number; size: number }
  | { kind: 'copy'; of: number }
  | { kind: 'back'; gateway: number; by: number; size: number }
  | { kind: 'epoch'; gateway: number; size: number }
  /** A gateway that was replaced writes on under its old numbering. */
  | { kind: 'zombie'; gateway: number; size: number }
  /** The other gateway of the site takes over, or the first one is back. */
  | { kind: 'term'; gateway: number; size: number }
  | { kind: 'fence'; gateway: number }
  | { kind: 'rubbish'; gateway: number }

/** What happens between JetStream and the consumer. */
type Step =
  /** The next message is handed out and arrives. */
  | { kind: 'arrives' }
  /** The next message is handed out and gets lost on its way. */
  | { kind: 'lost' }
  /** One that was not acknowledged is handed out again. */
  | { kind: 'again'; which: number }
  /** The consumer dies and starts again. */
  | { kind: 'restart' }
  /** It dies while it handles the n-th record from now on. */
  | { kind: 'dies'; after: number }

const gateway = fc.integer({ min: 0, max: 1 })
const size = fc.integer({ min: 1, max: 4 })
const contents = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.record({ kind: fc.constant('pack' as const), gateway, size }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('copy' as const), of: fc.nat(30) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('back' as const), gateway, by: size, size }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('epoch' as const), gateway, size }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('zombie' as const), gateway, size }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('term' as const), gateway, size }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('fence' as const), gateway }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('rubbish' as const), gateway }) },
  ),
  { minLength: 1, maxLength: 30 },
)
const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.constant({ kind: 'arrives' as const }) },
    { weight: 2, arbitrary: fc.constant({ kind: 'lost' as const }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('again' as const), which: fc.nat(30) }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('dies' as const), after: fc.nat(5) }) },
  ),
  { maxLength: 80 },
)

interface Stored {
  message: StoredMessage
  /** Names of the records in it. */
  records: string[]
}

/** @param chained whether messages tell their predecessor, as those of gateways do */
async function streamOf(contentList: readonly Content[], chained: boolean): Promise<Stored[]> {
  const stream: Stored[] = []
  const add = (subject: string, own: StoredMessage['headers'], body: Uint8Array, records: string[]): void => {
    const headers = new Map(own)
    const previous = stream.findLast(({ message }) => message.subject === subject)?.message.sequence ?? 0
    if (chained && own.size > 0) headers.set('Nats-Expected-Last-Subject-Sequence', String(previous))
    else headers.delete('Nats-Expected-Last-Subject-Sequence')
    stream.push({ message: { subject, sequence: stream.length + 1, headers, body }, records })
  }
  const terms = [1, 1]
  /** The next offset of every epoch, for each gateway. */
  const epochs: number[][] = [[0], [0]]
  for (const content of contentList) {
    if (content.kind === 'copy') {
      const original = stream[content.of]
      if (original) add(original.message.subject, original.message.headers, original.message.body, original.records)
      continue
    }
    const own = epochs[content.gateway] ?? [0]
    const subject = readingsSubject('s', `gw${content.gateway}`)
    if (content.kind === 'rubbish') {
      add(subject, new Map(), Buffer.from('rubbish'), [])
      continue
    }
    if (content.kind === 'fence') {
      const before = stream.findLast(({ message }) => message.subject === subject && message.headers.size > 0)
      const newest = before?.message ?? null
      const fence = encodeFence({ stream: 'READINGS', subject }, { by: 'other', inPlaceOf: [] }, newest, newest)
      add(subject, new Map(fence.headers), fence.body, [])
      continue
    }
    if (content.kind === 'term') terms[content.gateway] = (terms[content.gateway] ?? 1) + 1
    if (content.kind === 'epoch') own.push(0)
    const number = content.kind === 'zombie' ? Math.max(0, own.length - 2) : own.length - 1
    const next = own[number] ?? 0
    const from = content.kind === 'back' ? Math.max(0, next - content.by) : next
    own[number] = Math.max(next, from + content.size)
    const epoch = `epoch-${number}`
    const offsets = Array.from({ length: content.size }, (_, i) => from + i)
    const body = Buffer.from(offsets.map((offset) => `${encodeLine(reading(offset))}\n`).join(''))
    const slice = { from, next: from + content.size, count: content.size, body, gaps: [], lineage: null }
    const message = await encodePack(
      slice,
      { epoch, term: terms[content.gateway] ?? 1 },
      { stream: 'READINGS', subject },
      false,
    )
    const records = offsets.map((offset) => `${subject}/${epoch} ${offset}`)
    add(subject, new Map(message.headers), message.body, records)
  }
  return stream
}

/** Runs a consumer through the steps, then until everything is acknowledged. */
async function run(
  stream: readonly Stored[],
  stepList: readonly Step[],
  positions: (last: PositionStore) => PositionStore,
) {
  const handled: string[] = []
  const reports: Report[] = []
  const acked = new Set<number>()
  const out: number[] = []
  let dies = Number.POSITIVE_INFINITY
  let deaths = 0
  let store = memoryPositions()
  let lives = 0
  const begin = () => {
    store = positions(store)
    const missed = new Missed(
      async (subject, from) =>
        stream.find(({ message }) => message.subject === subject && message.sequence >= from)?.message ?? null,
    )
    let floor = 0
    while (acked.has(floor + 1)) floor++
    missed.bound({ created: `life ${++lives}`, floor, delivered: Math.max(0, ...out) })
    return new Delivery<'readings'>({
      lane: 'readings',
      handler: (_, { position }) => {
        if (dies-- === 0) throw new OperatorError('DIED', 'killed')
        handled.push(`${position.origin} ${position.offset}`)
      },
      positions: store,
      saveEvery: 1,
      keepDeadLetter: async () => {},
      missed,
      tools: {
        clock: new SimulatedClock(),
        random: seededRandom(1),
        signal: new AbortController().signal,
        retry: { attempts: 1, min: 1, max: 1 },
      },
      report: (report) => reports.push(report),
    })
  }
  let delivery = begin()
  const arrive = async (sequence: number, redelivered: boolean): Promise<void> => {
    const stored = stream[sequence - 1]
    if (!stored) return
    try {
      if (await delivery.deliver(stored.message, redelivered)) acked.add(sequence)
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error
      deaths++
      dies = Number.POSITIVE_INFINITY
      delivery = begin()
    }
  }
  const handOut = (): number | null => {
    const next = out.length + 1
    if (next > stream.length) return null
    out.push(next)
    return next
  }
  for (const step of stepList) {
    if (step.kind === 'restart') delivery = begin()
    else if (step.kind === 'dies') dies = step.after
    else if (step.kind === 'again') {
      const pending = out.filter((sequence) => !acked.has(sequence))
      const chosen = pending[step.which % Math.max(1, pending.length)]
      if (chosen !== undefined) await arrive(chosen, true)
    } else {
      const next = handOut()
      if (next !== null && step.kind === 'arrives') await arrive(next, false)
    }
  }
  for (let next = handOut(); next !== null; next = handOut()) await arrive(next, false)
  while (acked.size < stream.length)
    for (const { message } of stream) if (!acked.has(message.sequence)) await arrive(message.sequence, true)
  return { handled, reports, deaths }
}

const deadLetters = (contentList: readonly Content[]): number =>
  contentList.filter(({ kind }) => kind === 'rubbish' || kind === 'copy').length

const inOrder = (records: readonly string[]): boolean => {
  const last = new Map<string, number>()
  return records.every((record) => {
    const [origin = '', offset = ''] = record.split(' ')
    const grows = Number(offset) > (last.get(origin) ?? -1)
    last.set(origin, Number(offset))
    return grows
  })
}

describe('whatever gets lost, comes again, and dies', () => {
  test.prop([contents, steps, fc.boolean()], { numRuns: 500 })(
    'with positions that last, every record is handled once, in the order of its origin',
    async (contentList, stepList, chained) => {
      const stream = await streamOf(contentList, chained)
      const { handled, reports } = await run(stream, stepList, (last) => last)
      expect(handled.toSorted()).toEqual([...new Set(stream.flatMap(({ records }) => records))].toSorted())
      expect(inOrder(handled)).toBe(true)
      expect(reports.filter(({ kind }) => kind === 'gap')).toEqual([])
      // Fences are no dead letters, and no writer comes late: only a copy of an old message has an old term.
      expect(reports.filter(({ kind }) => kind === 'deadletter').length).toBeLessThanOrEqual(
        deadLetters(contentList) * (1 + stepList.length),
      )
      if (contentList.every(({ kind }) => kind !== 'copy'))
        expect(reports.filter((report) => report.kind === 'regress' && report.why === 'term')).toEqual([])
      // Origins that take turns are no news; what a process said before it died and stored nothing, the next one says again.
      const news = reports.flatMap((report) => (report.kind === 'epoch' ? [report.origin] : []))
      expect(news.length - new Set(news).size).toBeLessThanOrEqual(stepList.length)
    },
  )

  test.prop([contents, steps, fc.boolean()], { numRuns: 500 })(
    'with positions that die with the process, every record is handled',
    async (contentList, stepList, chained) => {
      const stream = await streamOf(contentList, chained)
      const { handled } = await run(stream, stepList, () => memoryPositions())
      expect([...new Set(handled)].toSorted()).toEqual(
        [...new Set(stream.flatMap(({ records }) => records))].toSorted(),
      )
    },
  )

  test.prop(
    [contents, steps.map((list) => list.filter(({ kind }) => kind !== 'restart' && kind !== 'dies')), fc.boolean()],
    {
      numRuns: 300,
    },
  )('a process that lives handles every record once without any store', async (contentList, stepList, chained) => {
    const stream = await streamOf(contentList, chained)
    const { handled } = await run(stream, stepList, () => memoryPositions())
    expect(handled.toSorted()).toEqual([...new Set(stream.flatMap(({ records }) => records))].toSorted())
    expect(inOrder(handled)).toBe(true)
  })
})
