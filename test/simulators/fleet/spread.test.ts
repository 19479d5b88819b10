import { describe, expect, it } from 'vitest'
import { firstGateway } from '../../../simulators/fleet/spread.ts'

const spread = (connections: number, gateways: number): number[] =>
  Array.from({ length: connections }, (_, connection) => firstGateway(connection, gateways))

describe('devices spread over gateways', () => {
  it.each([1, 2, 3, 4])('begin at all %i of them, as many at each', (gateways) => {
    for (const connections of [1, 7, 40, 101]) {
      const counts = Array.from(
        { length: gateways },
        (_, gateway) => spread(connections, gateways).filter((first) => first === gateway).length,
      )
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
      expect(counts.reduce((sum, count) => sum + count)).toBe(connections)
    }
  })

  it('do not gather by what repeats along the devices, such as every third payload form', () => {
    const third = spread(90, 3).filter((_, connection) => connection % 3 === 0)
    for (const gateway of [0, 1, 2]) expect(third.filter((first) => first === gateway)).toHaveLength(10)
  })
})
