import { describe, expect, it } from 'vitest'
import { type AlarmVerdict, auditAlarms } from '../../../simulators/ledger/index.ts'
import { type Reading, STREAMS } from '../../../sync/contract/index.ts'
import { type HandMadePack, memoryCentral, packMaker } from './packs.ts'

const HOT = [{ rule: 'hot', metric: 'temperature', raise: 30, clear: 20 }]

/** A reading of the one device, received a moment after it was measured. */
const reading = (time: number, value: number, received = time + 1): Reading => ({
  device: 'kiln',
  metric: 'temperature',
  value,
  time,
  received,
})

const event = (kind: 'raised' | 'cleared', by: Reading, transition: number): HandMadePack => ({
  stream: STREAMS.events,
  subject: 'events.site.gw1',
  headers: {},
  body: Buffer.from(
    JSON.stringify({
      id: `kiln/hot/${transition}`,
      device: 'kiln',
      rule: 'hot',
      type: `tidegate.alarm.${kind}`,
      data: { reading: by },
    }),
  ),
})

const audit = (packs: readonly HandMadePack[], oneClock = true): Promise<AlarmVerdict> =>
  auditAlarms(memoryCentral(packs), HOT, { complete: true, oneClock })

const [cool, hot, hotter, cold] = [reading(1, 10), reading(2, 35), reading(3, 36), reading(4, 15)]

describe('alarms of a device that moves between gateways', () => {
  it('are what its readings say in the order in which they were received, not in that in which they were forwarded', async () => {
    const make = packMaker()
    const verdict = await audit([
      make.readings([hotter, cold], { gateway: 'gw2' }),
      make.readings([cool, hot], { gateway: 'gw1' }),
      event('raised', hot, 1),
      event('cleared', cold, 2),
    ])
    expect(verdict).toEqual({ raised: 1, cleared: 1, missed: 0, doubled: 0, findings: [] })
  })

  it('may be decided on a copy that was received elsewhere', async () => {
    const make = packMaker()
    const copy = reading(2, 35, 9)
    const verdict = await audit([
      make.readings([cool], { gateway: 'gw1' }),
      make.readings([copy], { gateway: 'gw2' }),
      event('raised', hot, 1),
    ])
    expect(verdict).toMatchObject({ missed: 0, doubled: 0 })
  })

  it('are what the device counted where the gateways read different clocks', async () => {
    const make = packMaker()
    const counted = [cool, hot, hotter, cold].map((one, seq) => ({ ...one, session: 's', seq }))
    const [first, second, third, fourth] = counted as [Reading, Reading, Reading, Reading]
    // The clock of the second gateway is far behind.
    const behind = (one: Reading): Reading => ({ ...one, received: one.received - 1000 })
    const packs = [
      make.readings([first, second], { gateway: 'gw1' }),
      make.readings([behind(third), behind(fourth)], { gateway: 'gw2' }),
      event('raised', second, 1),
      event('cleared', behind(fourth), 2),
    ]
    expect(await audit(packs, false)).toEqual({ raised: 1, cleared: 1, missed: 0, doubled: 0, findings: [] })
    expect(await audit(packs)).not.toMatchObject({ missed: 0, doubled: 0 })
  })

  it('are decided where a window was heard as a whole, also when only a part of it was sent from there', async () => {
    const make = packMaker()
    // gw1 had all of it before its cable was pulled; gw2 got it again, and sent the beginning before gw1 came back.
    const again = [reading(1, 10, 8), reading(2, 35, 8), reading(3, 36, 9)]
    const verdict = await audit([
      make.readings(again, { gateway: 'gw2' }),
      make.readings([cold], { gateway: 'gw1' }),
      event('raised', hot, 1),
      event('cleared', cold, 2),
    ])
    expect(verdict).toEqual({ raised: 1, cleared: 1, missed: 0, doubled: 0, findings: [] })
  })

  it('are doubled when both gateways tell of them, and missed when neither does', async () => {
    const make = packMaker()
    const packs = [make.readings([cool, hot], { gateway: 'gw1' }), make.readings([hotter, cold], { gateway: 'gw2' })]
    const verdict = await audit([...packs, event('raised', hot, 1), event('raised', hotter, 1)])
    expect(verdict).toMatchObject({ missed: 1, doubled: 1 })
    expect(verdict.findings).toEqual([
      expect.stringContaining('again: kiln/hot/1 raised'),
      'no event: kiln hot cleared by 15 (measured 4)',
    ])
  })

  it('are not missed when a later reading is named that shows the same, but told of under another name than their own', async () => {
    const make = packMaker()
    const colder = reading(5, 14)
    const packs = [make.readings([cool, hot, hotter, cold, colder, reading(6, 40)], { gateway: 'gw1' })]
    const told = [event('raised', hotter, 1), event('cleared', colder, 2), event('raised', reading(6, 40), 3)]
    expect(await audit([...packs, ...told])).toMatchObject({ missed: 0, doubled: 2 })
    const tooLate = [event('raised', colder, 1), event('cleared', colder, 2), event('raised', reading(6, 40), 3)]
    expect(await audit([...packs, ...tooLate])).toMatchObject({ missed: 1 })
  })
})
