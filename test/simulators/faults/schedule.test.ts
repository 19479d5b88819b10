import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { conditionsOf, FaultProxy, HEALTHY, randomSchedule, runSchedule } from '../../../simulators/faults/index.ts'
import { eventually } from '../eventually.ts'
import { dial, startServer } from './support.ts'

describe('a schedule of faults', () => {
  it('injects and releases every fault when it is due, and leaves the proxy healthy', async () => {
    const server = await startServer()
    const proxy = await FaultProxy.listen({ target: { port: server.port } })
    const log: string[] = []
    await runSchedule(
      proxy,
      [
        { at: 20, fault: { kind: 'bandwidth', bytesPerSecond: 1_000 } },
        { at: 0, fault: { kind: 'latency', delay: 5 }, for: 40 },
        { at: 60, fault: { kind: 'reset' } },
      ],
      { onChange: ({ what, fault }) => log.push(`${what} ${fault.kind}: ${proxy.faults.map(({ kind }) => kind)}`) },
    )
    expect(log).toEqual([
      'begins latency: latency',
      'begins bandwidth: latency,bandwidth',
      'ends latency: bandwidth',
      'begins reset: bandwidth',
    ])
    expect(proxy.faults).toEqual([])
    await proxy.close()
    await server.close()
  })

  it('heals when it is aborted', async () => {
    const server = await startServer()
    const proxy = await FaultProxy.listen({ target: { port: server.port } })
    const abort = new AbortController()
    await runSchedule(proxy, [{ at: 0, fault: { kind: 'cut' }, for: 60_000 }], {
      signal: abort.signal,
      onChange: () => abort.abort(),
    })
    expect(proxy.faults).toEqual([])
    const { socket, ended } = dial(proxy.port)
    await eventually(() => server.connections.length).toBe(1)
    expect(ended()).toBeUndefined()
    socket.destroy()
    await proxy.close()
    await server.close()
  })

  it('drawn from a seed is the same again, one fault at a time, over before its end', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1_000, max: 60_000 }), (seed, duration) => {
        const options = {
          seed,
          duration,
          faults: [{ kind: 'cut' }, { kind: 'black-hole' }, { kind: 'reset' }] as const,
          healthy: [100, 2_000] as const,
          broken: [50, 5_000] as const,
        }
        const schedule = randomSchedule(options)
        expect(randomSchedule(options)).toEqual(schedule)
        let free = 0
        for (const { at, for: lasting = 0 } of schedule) {
          expect(at).toBeGreaterThanOrEqual(free + 100)
          free = at + lasting
          expect(free).toBeLessThanOrEqual(duration)
        }
      }),
    )
  })
})

describe('conditions', () => {
  it('are healthy without faults, and add up with several', () => {
    expect(conditionsOf([])).toEqual(HEALTHY)
    expect(
      conditionsOf([
        { kind: 'latency', delay: 10, jitter: 2 },
        { kind: 'latency', delay: 5 },
        { kind: 'bandwidth', bytesPerSecond: 500 },
        { kind: 'bandwidth', bytesPerSecond: 900 },
        { kind: 'half-open', swallow: 'toClient' },
        { kind: 'swallow-messages' },
        { kind: 'cut' },
      ]),
    ).toEqual({
      connections: 'reset',
      unreachable: false,
      passage: { toServer: 'pass', toClient: 'swallow' },
      delay: 15,
      jitter: 2,
      bytesPerSecond: 500,
    })
  })
})
