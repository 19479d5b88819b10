import { describe, expect, it } from 'vitest'
import { byReception } from '../../../simulators/ledger/by-reception.ts'

const told = (text: string): { origin: string; received: number }[] =>
  text.split(' ').map((part) => ({ origin: part.slice(0, 1), received: Number(part.slice(1)) }))

const order = (text: string): string =>
  byReception(told(text))
    .map(({ origin, received }) => `${origin}${received}`)
    .join(' ')

describe('readings of two gateways', () => {
  it('are put in the order in which they were received, whoever was forwarded first', () => {
    expect(order('b5 b6 b9 a1 a2 a7')).toBe('a1 a2 b5 b6 a7 b9')
  })

  it('stay in the order of each of them, also when the clock was set back', () => {
    expect(order('a5 a3 a4 b6')).toBe('a5 a3 a4 b6')
    expect(order('b6 a8 a3')).toBe('b6 a8 a3')
  })
})
