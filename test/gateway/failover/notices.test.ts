import { expect, it } from 'vitest'
import { type FailoverNow, Notices } from '../../../gateway/failover/notices.ts'
import { StateMachine } from '../../../gateway/state/index.ts'
import type { ThresholdEvent } from '../../../sync/contract/index.ts'
import { SimulatedClock } from '../../../sync/runtime/index.ts'

const SETTINGS = { dedupeWindow: 4, maxSeries: 10, gateway: 'gw-1' }
const now = (degraded: boolean, present: boolean, takenOver: boolean): FailoverNow => ({
  degraded,
  peers: [{ gateway: 'gw-2', present, takenOver }],
})

/** One life of a process on what the one before has stored. */
function life(machine: StateMachine) {
  const clock = new SimulatedClock()
  const told: ThresholdEvent[] = []
  const notices = new Notices({
    machine,
    clock,
    tell: (events) => told.push(...events),
    awayAfter: 2000,
    takeoverAfter: 5000,
  })
  const types = (): string[] => told.map(({ type }) => type.replace('tidegate.failover.', ''))
  return { clock, told, notices, types }
}

it('each change is told once, numbered, as an event of the gateway', () => {
  const { notices, told, types } = life(new StateMachine(SETTINGS))
  notices.look(now(false, true, false))
  notices.look(now(true, false, true))
  expect(types()).toEqual(['takenOver'])
  notices.look(now(true, false, true))
  notices.look(now(false, true, false))
  expect(types()).toEqual(['takenOver', 'givenBack'])
  expect(told.map(({ device, rule, transition }) => [device, rule, transition])).toEqual([
    ['@gw-1', '@failover', 1],
    ['@gw-1', '@failover', 2],
  ])
  expect(told[0]).toMatchObject({ data: { peer: 'gw-2', degraded: false, takenOver: ['gw-2'] } })
  expect(new Set(told.map(({ id }) => id)).size).toBe(2)
})

it('what is only the start is not told, and what lasts is', async () => {
  const { clock, notices, types } = life(new StateMachine(SETTINGS))
  notices.look(now(true, false, false))
  expect(types()).toEqual([])
  await clock.advance(3500)
  notices.look(now(true, false, false))
  notices.look(now(false, true, false))
  expect(types()).toEqual(['degraded', 'restored'])
})

it('a restart tells only what has become of it since, and numbers on', async () => {
  const before = new StateMachine(SETTINGS)
  const first = life(before)
  await first.clock.advance(3500)
  first.notices.look(now(true, false, true))
  expect(first.types()).toEqual(['degraded', 'takenOver'])
  const slices = before.takeSlices(1)
  expect(slices.map(([name]) => name)).toContain('["failover"]')

  const after = new StateMachine(SETTINGS)
  await after.rebuild({
    slices: async function* () {
      for (const [name, value] of slices) if (value) yield [name, value] as const
    },
    records: async function* () {},
    heard: async function* () {},
    attached: async function* () {},
  })
  after.resume(0)
  const second = life(after)
  second.notices.look(now(true, false, false))
  await second.clock.advance(5900)
  second.notices.look(now(true, false, true))
  expect(second.types()).toEqual([])
  second.notices.look({ degraded: false, peers: [] })
  expect(second.types()).toEqual(['restored', 'givenBack'])
  expect(second.told.map(({ transition, since }) => [transition, since])).toEqual([
    [3, first.told[0]?.since],
    [4, first.told[0]?.since],
  ])
})
