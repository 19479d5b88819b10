import { expect, it } from 'vitest'
import { byCounter } from '../../../simulators/ledger/by-counter.ts'

/** `a7`: the reading with number 7 of session a. */
const told = (text: string) => text.split(' ').map((one) => ({ session: one.charAt(0), seq: Number(one.slice(1)) }))

it('readings of gateways whose clocks differ are in the order in which their device counted them', () => {
  expect(byCounter(told('a3 a1 a2'))).toEqual(told('a1 a2 a3'))
})

it('a device that has started again counts anew', () => {
  expect(byCounter(told('a8 a9 b0 a7 b1'))).toEqual(told('a7 a8 a9 b0 b1'))
})

it('what is not counted stays as it came', () => {
  const readings = [{ value: 3 }, { value: 1 }, { value: 2 }] as { value: number; seq?: number }[]
  expect(byCounter(readings)).toEqual(readings)
})
