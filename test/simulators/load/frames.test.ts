import { describe, expect, it } from 'vitest'
import { FIRST_SEQ, FrameRing } from '../../../simulators/load/frames.ts'

const ring = (slots = 3): FrameRing =>
  new FrameRing({ topic: 'sensors/load-0001/temperature', device: 'load-0001', session: 'ab12cd34', slots })

/** One frame, taken apart by the letter of MQTT 3.1.1 §3.3. */
function parsePublish(frame: Buffer): {
  flags: number
  topic: string
  id: number
  payload: Record<string, unknown>
  rest: number
} {
  const first = frame[0] ?? 0
  expect(first >>> 4).toBe(3)
  let at = 1
  let length = 0
  for (let shift = 0; ; shift += 7) {
    const byte = frame[at++] ?? 0
    length += (byte & 0x7f) << shift
    if ((byte & 0x80) === 0) break
  }
  const end = at + length
  const topicLength = frame.readUInt16BE(at)
  const topic = frame.toString('utf8', at + 2, at + 2 + topicLength)
  const id = frame.readUInt16BE(at + 2 + topicLength)
  const payload = JSON.parse(frame.toString('utf8', at + 4 + topicLength, end))
  return { flags: first & 0x0f, topic, id, payload, rest: frame.length - end }
}

describe('ready-made frames', () => {
  it('are PUBLISH frames with a reading that changes each time', () => {
    const frames = ring()
    for (let i = 0; i < 2_500; i++) {
      const slot = i % 3
      frames.fill(slot, 1_700_000_000_000 + i)
      const { flags, topic, id, payload, rest } = parsePublish(frames.frames(slot, 1))
      expect([flags, topic, id, rest]).toEqual([2, 'sensors/load-0001/temperature', slot + 1, 0])
      expect(payload).toEqual({
        device: 'load-0001',
        seq: FIRST_SEQ + i,
        time: 1_700_000_000_000 + i,
        value: expect.closeTo(20 + (i % 10_000) / 1_000, 6),
        unit: 'Cel',
        session: 'ab12cd34',
      })
    }
  })

  it('are of the size that benches promise, and go out side by side', () => {
    const frames = ring()
    for (const slot of [0, 1, 2]) frames.fill(slot, 1_700_000_000_000)
    const all = frames.frames(0, 3)
    expect(all.length).toBe(3 * frames.frameLength)
    const { payload } = parsePublish(frames.frames(1, 1))
    const size = JSON.stringify(payload).length
    expect(size).toBeGreaterThan(105)
    expect(size).toBeLessThan(145)
    expect(parsePublish(all.subarray(2 * frames.frameLength)).payload).toMatchObject({ seq: FIRST_SEQ + 2 })
  })

  it('say when they are sent again, and do not when they are filled anew', () => {
    const frames = ring()
    frames.fill(0, 1_700_000_000_000)
    frames.markDuplicate(0)
    expect(parsePublish(frames.frames(0, 1))).toMatchObject({ flags: 0x0a, payload: { seq: FIRST_SEQ } })
    frames.fill(0, 1_700_000_000_000)
    expect(parsePublish(frames.frames(0, 1))).toMatchObject({ flags: 2, payload: { seq: FIRST_SEQ + 1 } })
  })

  it('cannot be more than there are packet identifiers', () => {
    expect(() => ring(65_536)).toThrow(expect.objectContaining({ code: 'LOAD_WINDOW_INVALID' }))
    expect(() => ring(0)).toThrow(expect.objectContaining({ code: 'LOAD_WINDOW_INVALID' }))
  })

  it('lets series take turns, each with its own counter', () => {
    const ring = new FrameRing({ topic: 'sensors/d/m000', device: 'd', session: 's', slots: 1, series: 3 })
    const said = Array.from({ length: 7 }, () => {
      ring.fill(0, 1_700_000_000_000)
      const text = ring.frames(0, 1).toString()
      return `${/m\d{3}/.exec(text)?.[0]} ${/"seq":(\d+)/.exec(text)?.[1]}`
    })
    expect(said).toEqual([
      'm000 1000000000',
      'm001 1000000000',
      'm002 1000000000',
      'm000 1000000001',
      'm001 1000000001',
      'm002 1000000001',
      'm000 1000000002',
    ])
  })
})
