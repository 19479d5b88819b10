import { describe, expect, it, onTestFinished } from 'vitest'
import { eventRoutes } from '../../../gateway/api/events.ts'
import type { ThresholdEvent } from '../../../sync/contract/index.ts'
import type { LaneSource } from '../../../sync/forward/index.ts'
import { systemClock } from '../../../sync/runtime/index.ts'
import { type RunningGateway, runGateway } from '../../support/running-gateway.ts'
import { refusal, Stream } from './support.ts'

const RULES = {
  rules: [
    { id: 'warm', match: { metric: 'temperature' }, above: 50 },
    { id: 'hot', match: { metric: 'temperature' }, above: 80 },
  ],
}

async function gatewayWithRules(options: Parameters<typeof runGateway>[0] = {}): Promise<RunningGateway> {
  const live = await runGateway(options)
  await live.ask('/rules', { method: 'PUT', body: JSON.stringify(RULES) })
  return live
}

async function open(live: RunningGateway, path: string, headers: Record<string, string> = {}): Promise<Stream> {
  const stream = await Stream.open(live, path, headers)
  onTestFinished(() => stream.close())
  return stream
}

const said = ({ data }: { data: string }): string => {
  const { device, rule, type } = JSON.parse(data) as ThresholdEvent
  return `${device} ${rule} ${type.split('.').at(-1)}`
}

describe('GET /events', () => {
  it('tells what happens from now on, or everything from the start', async () => {
    const live = await gatewayWithRules()
    await live.publish('press-1', 'temperature', 60)
    const now = await open(live, '/events')
    const all = await open(live, '/events?after=start')
    await live.publish('press-2', 'temperature', 60)
    expect(said(await now.next())).toBe('press-2 warm raised')
    expect((await all.take(3)).map(said)).toEqual(['@gw @rules changed', 'press-1 warm raised', 'press-2 warm raised'])
  })

  it('goes on where the reader was, also when nothing had come before it was cut off', async () => {
    const live = await gatewayWithRules()
    const first = await open(live, '/events')
    // An id without data: the place is known before the first event.
    while (first.lastId === null) await first.more()
    first.close()
    await live.publish('press-1', 'temperature', 60, 20)
    const second = await open(live, '/events', { 'last-event-id': first.lastId })
    const [raised, cleared] = await second.take(2)
    expect([raised && said(raised), cleared && said(cleared)]).toEqual(['press-1 warm raised', 'press-1 warm cleared'])
    const third = await open(live, `/events?after=${encodeURIComponent(raised?.lastId ?? '')}`)
    expect(await third.next()).toEqual(cleared)
  })

  it('goes on across a restart, from the very beginning too', async () => {
    const live = await runGateway()
    const first = await open(live, '/events')
    while (first.lastId === null) await first.more()
    expect(first.lastId).toMatch(/^[0-9a-f]+:-1$/)
    await live.ask('/rules', { method: 'PUT', body: JSON.stringify(RULES) })
    await live.publish('press-1', 'temperature', 60)
    await live.stop()
    const again = await runGateway({ dir: live.dir })
    const second = await open(again, '/events', { 'last-event-id': first.lastId ?? '' })
    expect((await second.take(2)).map(said)).toEqual(['@gw @rules changed', 'press-1 warm raised'])
  })

  it('tells only of what is asked for', async () => {
    const live = await gatewayWithRules()
    const streams = await Promise.all(
      ['?device=*-2', '?rule=hot', '?type=*.cleared', '?device=press-1&rule=warm&type=*raised'].map((query) =>
        open(live, `/events${query}`),
      ),
    )
    await live.publish('press-1', 'temperature', 90, 20)
    await live.publish('press-2', 'temperature', 60)
    const first = await Promise.all(streams.map((stream) => stream.next()))
    expect(first.map(said)).toEqual([
      'press-2 warm raised',
      'press-1 hot raised',
      'press-1 warm cleared',
      'press-1 warm raised',
    ])
  })

  it('moves the place of a reader also over what he did not ask for', async () => {
    const live = await gatewayWithRules()
    const stream = await open(live, '/events?device=nobody')
    while (stream.lastId === null) await stream.more()
    const first = stream.lastId
    await live.publish('press-1', 'temperature', 60)
    while (stream.lastId === first) await stream.more()
    const again = await open(live, '/events', { 'last-event-id': stream.lastId ?? '' })
    await live.publish('press-1', 'temperature', 20)
    expect(said(await again.next())).toBe('press-1 warm cleared')
  })

  it('says what is gone to a reader of another store', async () => {
    const live = await gatewayWithRules()
    const stream = await open(live, '/events', { 'last-event-id': '0123456789abcdef:41' })
    // Nothing is gone of this store: it is told from its beginning.
    expect(said(await stream.next())).toBe('@gw @rules changed')
    expect(await refusal(live.ask('/events?after=yesterday'))).toEqual([400, 'API_QUERY'])
    expect(await refusal(live.ask('/events', { headers: { 'last-event-id': 'x:y' } }))).toEqual([400, 'API_QUERY'])
  })

  it('tells of holes: before the place asked for, and in the middle', async () => {
    const event = (n: number): string => JSON.stringify({ device: `d${n}`, rule: 'r', type: 't', transition: n })
    // Offsets 0-4 are trimmed, 6 and 7 damaged.
    const lines = [5, 8, 9].map(event)
    const source: LaneSource = {
      lane: 'events',
      epoch: 'e1',
      cursor: { next: 10, sequence: 0, streamCreated: null },
      head: 10,
      durable: 10,
      tail: 5,
      oldestPending: async () => null,
      read: async (from) => ({
        from,
        next: 10,
        count: 3,
        body: Buffer.from(lines.map((line) => `${line}\n`).join('')),
        gaps: [{ from: 6, to: 7, reason: 'damaged' }],
        lineage: null,
      }),
      lend: () => true,
      lineageAt: async () => null,
      moveCursor() {},
      startEpoch: async () => {},
      onGrowth: () => () => {},
    }
    const ended = new AbortController()
    const log = { debug() {}, info() {}, warn() {}, error() {} }
    const app = eventRoutes({ events: source, clock: systemClock, log }, ended.signal)
    const answer = await app.request('/', { headers: { 'last-event-id': 'e1:2' } })
    const decoder = new TextDecoder()
    let text = ''
    for await (const piece of answer.body as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(piece, { stream: true })
      if (text.includes('d9')) ended.abort()
    }
    expect(text.split('\n\n').filter((one) => one !== '')).toEqual([
      'event: gap\ndata: {"from":3,"to":4}\nid: e1:4',
      'id: e1:4',
      `event: threshold\ndata: ${lines[0]}\nid: e1:5`,
      'event: gap\ndata: {"from":6,"to":7}\nid: e1:7',
      `event: threshold\ndata: ${lines[1]}\nid: e1:8`,
      `event: threshold\ndata: ${lines[2]}\nid: e1:9`,
    ])
  })

  it('ends when the gateway stops, which waits for no reader', async () => {
    const live = await gatewayWithRules()
    const stream = await open(live, '/events')
    const readings = await open(live, '/readings')
    await live.stop()
    for (const one of [stream, readings])
      await expect(
        (async () => {
          while (await one.more());
        })(),
      ).rejects.toThrow()
  })
})

const sumOfSkipped = (text: string): number =>
  [...text.matchAll(/^: skipped (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0)

describe('GET /readings', () => {
  it('tells of readings as they come in, of those that are asked for', async () => {
    const live = await runGateway()
    const all = await open(live, '/readings')
    const some = await open(live, '/readings?device=press-2&metric=temp*')
    await live.publish('press-1', 'temperature', 20)
    await live.publish('press-2', 'pressure', 3)
    await live.publish('press-2', 'temperature', { value: 21, unit: 'Cel' })
    expect(
      (await all.take(3)).map(({ event, data }) => [event, (JSON.parse(data) as { value: number }).value]),
    ).toEqual([
      ['reading', 20],
      ['reading', 3],
      ['reading', 21],
    ])
    expect(JSON.parse((await some.next()).data)).toMatchObject({
      device: 'press-2',
      metric: 'temperature',
      value: 21,
      unit: 'Cel',
    })
  })

  it('tells of one reading of a series in a while, if that is asked for', async () => {
    const live = await runGateway()
    const stream = await open(live, '/readings?every=60000')
    await live.publish('press-1', 'temperature', 1, 2, 3)
    await live.publish('press-2', 'temperature', 4, 5)
    expect((await stream.take(2)).map(({ data }) => (JSON.parse(data) as { value: number }).value)).toEqual([1, 4])
    expect(await refusal(live.ask('/readings?every=often'))).toEqual([400, 'API_QUERY'])
    expect(await refusal(live.ask('/readings?every=-1'))).toEqual([400, 'API_QUERY'])
  })

  it('tells a slow reader how many it missed, and keeps no more than a thousand for it', async () => {
    const live = await runGateway()
    const stream = await open(live, '/readings')
    const [blocks, size] = [150, 200]
    for (let block = 0; block < blocks; block++) {
      const at = (i: number): number => block * size + i
      const pack = Array.from({ length: size }, (_, i) => ({ value: at(i), seq: at(i), id: 'x'.repeat(100) }))
      await live.publish('press-1', 'temperature', pack)
    }
    // Only now it begins to read.
    let [got, skipped] = [0, 0]
    while (got + skipped < blocks * size) {
      await stream.more()
      got += stream.came().length
      skipped = sumOfSkipped(stream.text)
    }
    expect(skipped).toBeGreaterThan(0)
    expect(got + skipped).toBe(blocks * size)
  })
})
