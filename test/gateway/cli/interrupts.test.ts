import { expect, it, vi } from 'vitest'
import { interruptHandler } from '../../../gateway/cli/interrupts.ts'
import type { Clock } from '../../../sync/runtime/index.ts'

function setUp() {
  let time = 0
  const clock: Clock = { now: () => time, monotonic: () => time, after: () => () => {}, soon: setImmediate }
  const [stop, stopHard] = [vi.fn(), vi.fn()]
  const press = interruptHandler(clock, stop, stopHard)
  const at = (moment: number): void => {
    time = moment
    press()
  }
  return { at, stop, stopHard }
}

it('asks for a clean end first and ends at once the second time', () => {
  const { at, stop, stopHard } = setUp()
  at(1000)
  expect([stop.mock.calls.length, stopHard.mock.calls.length]).toEqual([1, 0])
  at(2000)
  expect([stop.mock.calls.length, stopHard.mock.calls.length]).toEqual([1, 1])
})

it('takes two signals of one press of Ctrl-C for one', () => {
  const { at, stop, stopHard } = setUp()
  at(1000)
  at(1003)
  at(1400)
  expect([stop.mock.calls.length, stopHard.mock.calls.length]).toEqual([1, 0])
})
