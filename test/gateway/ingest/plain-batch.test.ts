import { describe, expect, it } from 'vitest'
import { MemoryDisk } from '../../../gateway/ports/index.ts'
import { decodeLine, type ThresholdEvent } from '../../../sync/contract/index.ts'
import { SimulatedClock } from '../../../sync/runtime/index.ts'
import { FaultyDisk } from '../../support/faulty-disk.ts'
import { untilWith } from '../../support/until.ts'
import { readLane } from '../outbox/support/lane.ts'
import { holdWrites, openPipeline, settle } from './support.ts'

async function world(options: Partial<Parameters<typeof openPipeline>[0]> = {}) {
  const disk = new FaultyDisk(new MemoryDisk())
  const clock = new SimulatedClock()
  const pipeline = await openPipeline({ disk, clock, ...options })
  const lines = async (lane: 'readings' | 'events' = 'readings'): Promise<string[]> => [
    ...(await readLane(pipeline.outbox.lane(lane), 0)).lines.values(),
  ]
  const values = async () => (await lines()).map((line) => decodeLine(line).value)
  const hold = () => holdWrites(disk)
  return { ...pipeline, disk, clock, lines, values, hold }
}

const counted = (seq: number): string => JSON.stringify({ value: seq, seq })

describe('plain publishes', () => {
  it('are stored as if they had come the long way, and answered together when they are durable', async () => {
    const { sender, answers, counts, clock, lines, hold } = await world()
    const letGo = hold()
    const { plain } = sender()
    const payload = (seq: number) => `{"value":${seq}.50,"seq":${seq},"time":${clock.now()},"unit":"Cel","session":"s"}`
    for (const seq of [1, 2, 3]) expect(plain(payload(seq), seq)).toBe(true)
    await settle()
    expect(answers).toEqual([])
    letGo()
    await settle()
    expect(answers).toEqual(['3: 1 2 3'])
    expect(counts).toEqual({ publishes: 3, readings: 3 })
    const now = clock.now()
    expect((await lines()).map((line) => JSON.parse(line))).toEqual(
      [1, 2, 3].map((seq) => ({
        ...{ device: 'd1', metric: 'temp', value: seq + 0.5, unit: 'Cel', time: now, received: now, seq, session: 's' },
      })),
    )
  })

  it('of another commit are another batch, and so are those of another sender', async () => {
    const { sender, answers, hold } = await world()
    const letGo = hold()
    const [one, other] = [sender(), sender()]
    one.plain(counted(1), 1)
    other.plain('5', 7, { topic: 'sensors/d2/temp' })
    // The first commit is under way by now.
    await settle()
    one.plain(counted(2), 2)
    one.plain(counted(3), 3)
    letGo()
    await settle()
    expect(answers).toEqual(['1: 1', '1: 7', '2: 2 3'])
  })

  it('are answered in their order with what went another way between them', async () => {
    const { sender, answers, publish } = await world()
    const { plain, leave } = sender()
    plain(counted(1), 1)
    expect(plain('no reading', 2)).toBe(false)
    publish('no reading')
    leave()
    plain(counted(3), 3)
    await settle()
    expect(answers).toEqual(['1: 1', 'no reading', '1: 3'])
  })

  it('that have to be on two disks do not share a batch with those that need not', async () => {
    const { sender, answers } = await world()
    const { plain } = sender()
    plain(counted(1), 1)
    plain(counted(2), 2, { topic: 'both/d1/temp' })
    plain(counted(3), 3)
    await settle()
    expect(answers).toEqual(['1: 1', '1: 2', '1: 3'])
  })

  it('of QoS 0 are stored, and nothing is said of them', async () => {
    const { sender, answers, values } = await world()
    const { plain } = sender()
    plain(counted(1), 0)
    plain(counted(2), 5)
    await settle()
    expect(answers).toEqual(['2: 5'])
    expect(await values()).toEqual([1, 2])
  })

  it('are refused together when they cannot be written, and count as that', async () => {
    const { sender, answers, counts, disk, clock, outbox, values } = await world()
    const { plain } = sender()
    disk.failWrite = new Error('EIO')
    plain(counted(1), 1)
    plain(counted(2), 2)
    await settle()
    expect(answers).toEqual(['2: 1 2 OUTBOX_WRITE_FAILED'])
    expect(counts.refused).toBe(2)
    expect(plain(counted(1), 1)).toBe(false)
    await untilWith(clock, () => outbox.accepting)
    expect(plain(counted(1), 1)).toBe(true)
    await settle()
    expect(answers.at(-1)).toBe('1: 1')
    expect(await values()).toEqual([1])
  })

  it('cause their events in the same commit', async () => {
    const { sender, lines } = await world({
      rules: { rules: [{ id: 'hot', match: {}, above: 30 }] },
    })
    const { plain } = sender()
    plain(counted(20), 1)
    plain(counted(31), 2)
    await settle()
    const events = (await lines('events')).map((line) => JSON.parse(line) as ThresholdEvent)
    expect(events.map(({ type }) => type)).toContain('tidegate.alarm.raised')
  })

  it.each([
    ['a repeat', counted(1), {}],
    ['an unknown topic', '5', { topic: 'nobody/knows' }],
    ['a local topic', '5', { topic: 'local/x' }],
    ['what is no reading', 'x', {}],
    ['several readings', '{"a":1,"b":2}', {}],
    ['too much', `{"value":2,"seq":2,"x":"${'x'.repeat(10_000)}"}`, {}],
    ['a time that is absurd', '{"value":1,"seq":2,"time":9000000000000000}', {}],
  ])('do not include %s: nothing is done', async (_, payload, extra) => {
    const { sender, answers, counts, values } = await world()
    const { plain } = sender()
    plain(counted(1), 1)
    expect(plain(payload, 2, extra)).toBe(false)
    await settle()
    expect(answers).toEqual(['1: 1'])
    expect(counts).toEqual({ publishes: 1, readings: 1 })
    expect(await values()).toEqual([1])
  })

  it('are not taken while something waits, the bound is reached, or the outbox takes nothing', async () => {
    const { sender, publish, answers, hold, outbox } = await world({ admission: { maxPending: 2 } })
    const letGo = hold()
    const { plain } = sender()
    expect([plain(counted(1), 1), plain(counted(2), 2), plain(counted(3), 3)]).toEqual([true, true, false])
    publish(counted(3))
    letGo()
    await settle()
    expect(answers).toEqual(['2: 1 2', counted(3)])
    expect(plain(counted(4), 4)).toBe(true)
    await outbox.close()
    expect(plain(counted(5), 5)).toBe(false)
  })

  it('of QoS 0 are not taken under load', async () => {
    const { sender, hold } = await world({ admission: { maxPending: 4 } })
    const letGo = hold()
    const { plain } = sender()
    expect([plain(counted(1), 0), plain(counted(2), 0), plain(counted(3), 0), plain(counted(4), 4)]).toEqual([
      true,
      true,
      false,
      true,
    ])
    letGo()
  })
})
