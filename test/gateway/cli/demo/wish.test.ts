import { describe, expect, it } from 'vitest'
import { wishOfKey, wishOfLine } from '../../../../gateway/cli/demo/wish.ts'

describe('a key', () => {
  it.each([
    ['c', 1, { do: 'link', how: 'toggle' }],
    ['L', 2, { do: 'link', how: 'toggle' }],
    ['k', 1, { do: 'gateway', which: null, how: 'toggle' }],
    ['2', 2, { do: 'gateway', which: 1, how: 'toggle' }],
    ['3', 2, null],
    ['0', 2, null],
    ['p', 2, { do: 'peers', how: 'toggle' }],
    ['p', 1, null],
    ['\u0003', 1, { do: 'quit' }],
    ['x', 2, null],
  ])('%j, with %i gateways', (key, gateways, wish) => {
    expect(wishOfKey(key, gateways)).toEqual(wish)
  })
})

describe('a line', () => {
  it.each([
    ['cut', 1, { do: 'link', how: 'cut' }],
    [' Kill 2 ', 2, { do: 'gateway', which: 1, how: 'kill' }],
    ['restart', 2, { do: 'gateway', which: null, how: 'start' }],
    ['kill 3', 2, null],
    ['cut 1', 2, null],
    ['kill 1 2', 2, null],
    ['split', 2, { do: 'peers', how: 'cut' }],
    ['join', 1, null],
    ['', 1, null],
    ['constructor', 1, null],
  ])('%j, with %i gateways', (line, gateways, wish) => {
    expect(wishOfLine(line, gateways)).toEqual(wish)
  })
})
