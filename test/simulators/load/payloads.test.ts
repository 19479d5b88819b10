import { describe, expect, it } from 'vitest'
import { decodePayload } from '../../../gateway/ingest/decode/index.ts'
import { compileTopics } from '../../../gateway/ingest/topics/index.ts'
import { FIRST_SEQ, FrameRing } from '../../../simulators/load/frames.ts'
import { type LoadForm, readingsIn } from '../../../simulators/load/payloads.ts'
import type { Reading } from '../../../sync/contract/index.ts'

/** As many bytes as it looks like it is not, and nothing that JSON takes as it is. */
const DEVICE = 'd-é"1'
const ONE = `sensors/${DEVICE}/temperature`
const SEVERAL = `sensors/${DEVICE}`
const NOW = 1_767_225_600_500
const TOPICS = compileTopics({
  site: 's1',
  templates: [{ template: 'sensors/{device}/{metric}' }, { template: 'sensors/{device}' }],
  local: [],
})
const LIMITS = { maxPayload: 65_536, maxReadingsPerMessage: 1000, maxFuture: 3_600_000, maxAge: 86_400_000 }

/** What a gateway makes of the next publish. */
function read(ring: FrameRing, topic: string, now = NOW): readonly Reading[] {
  ring.fill(0, now)
  const frame = ring.frames(0, 1)
  const match = TOPICS.lookup(topic)
  if (match === null || match === 'local') throw new Error(`expected ${topic} to be known`)
  // Lengths of one byte or two.
  const payload = frame.subarray((frame[1] ?? 0) < 0x80 ? 2 : 3).subarray(2 + Buffer.byteLength(topic) + 2)
  const { readings, problem } = decodePayload(match, payload, NOW, LIMITS)
  expect(problem).toBeNull()
  return readings
}

const ring = (form: LoadForm, topic: string): FrameRing =>
  new FrameRing({ topic, device: DEVICE, session: 'ab12cd34', slots: 1, form })

describe('payloads of a load', () => {
  it('are what a gateway reads, in every form', () => {
    const said = { device: DEVICE, received: NOW }
    const counted = { ...said, session: 'ab12cd34', seq: FIRST_SEQ, time: NOW }
    expect(read(ring('number', ONE), ONE)).toEqual([{ ...said, metric: 'temperature', value: 20 }])
    expect(read(ring('object', ONE), ONE)).toEqual([{ ...counted, metric: 'temperature', value: 20, unit: 'Cel' }])
    expect(read(ring('flat', SEVERAL), SEVERAL)).toEqual([
      { ...counted, metric: 'temperature', value: 20 },
      { ...counted, metric: 'humidity', value: 30 },
      { ...counted, metric: 'pressure', value: 40 },
      { ...counted, metric: 'voltage', value: 50 },
    ])
    expect(read(ring('senml', SEVERAL), SEVERAL)).toEqual([
      { ...said, time: NOW, metric: 'temperature', value: 20, unit: 'Cel' },
      { ...said, time: NOW, metric: 'humidity', value: 30, unit: '%RH' },
      { ...said, time: NOW, metric: 'pressure', value: 40, unit: 'Pa' },
      { ...said, time: NOW, metric: 'voltage', value: 50, unit: 'V' },
    ])
  })

  it('carry as many readings as they say, each with another value than the one before', () => {
    for (const form of ['number', 'object', 'flat', 'senml'] as const) {
      const topic = form === 'number' || form === 'object' ? ONE : SEVERAL
      const frames = ring(form, topic)
      const seen = new Set<string>()
      for (let i = 0; i < 10_000; i++) {
        const readings = read(frames, topic)
        expect(readings.length).toBe(readingsIn(form))
        for (const { metric, value } of readings) seen.add(`${metric} ${value}`)
      }
      expect(seen.size).toBe(10_000 * readingsIn(form))
    }
  })

  it('can be told apart by their time where nothing counts them, however fast they come', () => {
    const frames = ring('senml', SEVERAL)
    const nows = [NOW, NOW, NOW, NOW + 1, NOW + 50, NOW + 50, NOW - 7]
    const times = nows.map((now) => read(frames, SEVERAL, now)[0]?.time ?? 0)
    expect(times).toEqual([0, 1, 2, 3, 50, 51, 52].map((more) => NOW + more))
  })

  it('say the time of the counted ones as it is', () => {
    const frames = ring('flat', SEVERAL)
    const nows = [NOW, NOW, NOW + 3]
    expect(nows.map((now) => read(frames, SEVERAL, now)[0]?.time)).toEqual(nows)
  })
})
