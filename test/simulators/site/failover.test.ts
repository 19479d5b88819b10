import { describe, expect, it } from 'vitest'
import { failoverSection } from '../../../simulators/site/failover.ts'

describe('the configuration of a gateway with neighbours', () => {
  it('names them, by the ways that lead to them, with the secret that all share', () => {
    const { failover } = failoverSection(
      [{ gateway: 'gw-2', url: 'mqtt://127.0.0.1:4000' }],
      'a secret of the site',
      true,
    )
    expect(failover).toMatchObject({
      peers: [{ gateway: 'gw-2', url: 'mqtt://127.0.0.1:4000' }],
      secret: 'a secret of the site',
      durability: 'replicated',
    })
  })

  it('has no such section without neighbours, or when it is off', () => {
    expect(failoverSection([], 'a secret of the site', true)).toEqual({})
    expect(failoverSection([{ gateway: 'gw-2', url: 'mqtt://127.0.0.1:4000' }], 'a secret of the site', false)).toEqual(
      {},
    )
  })
})
