import { describe, expect, it } from 'vitest'
import { serverOptions } from '../../../simulators/fleet/servers.ts'

describe('addresses of gateways', () => {
  it('are tried in turn, beginning with another one for every device', () => {
    const urls = ['mqtt://a:1', 'mqtts://b', 'tcp://[::1]:3']
    expect(serverOptions(urls, 1).servers).toEqual([
      { host: 'b', port: 8883, protocol: 'mqtts' },
      { host: '::1', port: 3, protocol: 'tcp' },
      { host: 'a', port: 1, protocol: 'mqtt' },
    ])
    expect(serverOptions(urls, 3)).toEqual(serverOptions(urls, 0))
  })

  it('of WebSockets have a path', () => {
    expect(serverOptions(['ws://a/mqtt'], 0)).toEqual({
      servers: [{ host: 'a', port: 80, protocol: 'ws' }],
      protocol: 'ws',
      path: '/mqtt',
    })
  })

  it.each([['http://a'], ['a:1883'], ['mqtt://'], ['']])('cannot be %j', (url) => {
    expect(() => serverOptions([url], 0)).toThrow(expect.objectContaining({ code: 'GATEWAY_URL_INVALID' }))
  })

  it('are at least one', () => {
    expect(() => serverOptions([], 0)).toThrow(expect.objectContaining({ code: 'GATEWAY_URL_INVALID' }))
  })
})
