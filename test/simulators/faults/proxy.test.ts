import { once } from 'node:events'
import { createServer } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FaultProxy } from '../../../simulators/faults/index.ts'
import { eventually } from '../eventually.ts'
import { dial, startServer, type TestClient, type TestServer } from './support.ts'

let server: TestServer
let proxy: FaultProxy
const clients: TestClient[] = []

beforeEach(async () => {
  server = await startServer((socket, chunk) => socket.write(`[${chunk.toString('latin1')}]`))
  proxy = await FaultProxy.listen({ target: { port: server.port }, seed: 3 })
})

afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.destroy()
  await proxy.close()
  await server.close()
})

const client = (): TestClient => {
  const made = dial(proxy.port)
  clients.push(made)
  return made
}

/** A connection that has proved that it works. */
async function working(): Promise<TestClient> {
  const made = client()
  made.socket.write('hello')
  await eventually(made.received).toBe('[hello]')
  return made
}

describe('a healthy proxy', () => {
  it('carries bytes both ways and counts them', async () => {
    const { socket, received } = await working()
    socket.write('again')
    await eventually(received).toBe('[hello][again]')
    expect(proxy.stats()).toEqual({
      connections: 1,
      accepted: 1,
      toServer: { received: 10, forwarded: 10, swallowed: 0 },
      toClient: { received: 14, forwarded: 14, swallowed: 0 },
    })
  })

  it('carries megabytes unchanged', async () => {
    const { socket, received } = client()
    const bytes = Buffer.alloc(5_000_000, 'abcdefghijk')
    socket.end(bytes)
    await once(socket, 'close')
    expect(server.received().length).toBe(bytes.length)
    expect(server.received()).toBe(bytes.toString('latin1'))
    expect(received().replaceAll(/[[\]]/g, '')).toBe(bytes.toString('latin1'))
  })

  it('passes on the end of either side, after all that was written before it', async () => {
    const first = await working()
    first.socket.end('bye')
    await eventually(first.ended).toBe('end')
    expect(first.received()).toBe('[hello][bye]')
    const second = await working()
    server.connections.at(-1)?.end('over')
    await eventually(second.ended).toBe('end')
    expect(second.received()).toBe('[hello]over')
    await eventually(() => proxy.stats().connections).toBe(0)
  })

  it('passes on a reset', async () => {
    const { ended } = await working()
    server.connections[0]?.resetAndDestroy()
    await eventually(ended).toBe('ECONNRESET')
  })

  it('resets clients of a server that does not answer', async () => {
    const nowhere = await startServer()
    const { port } = nowhere
    await nowhere.close()
    const other = await FaultProxy.listen({ target: { port } })
    const { ended } = dial(other.port)
    await eventually(ended).toBe('ECONNRESET')
    await other.close()
  })
})

describe('cut', () => {
  it('resets connections, and new ones too, until healed', async () => {
    const before = await working()
    await proxy.cut()
    await eventually(before.ended).toBe('ECONNRESET')
    await eventually(client().ended).toBe('ECONNRESET')
    await proxy.heal()
    await working()
  })

  it('can refuse new connections because nothing listens', async () => {
    const release = await proxy.cut('not-listening')
    await eventually(client().ended).toBe('ECONNREFUSED')
    await release()
    await working()
    expect(proxy.stats().accepted).toBe(1)
  })

  it('says so when somebody else took the port meanwhile', async () => {
    await proxy.cut('not-listening')
    const thief = createServer()
    thief.listen(proxy.port, proxy.host)
    await once(thief, 'listening')
    await expect(proxy.heal()).rejects.toThrow('EADDRINUSE')
    thief.close()
    await once(thief, 'close')
    await proxy.heal()
    await working()
  })
})

describe('reset', () => {
  it('ends what is open and accepts what is new', async () => {
    const before = await working()
    proxy.reset()
    await eventually(before.ended).toBe('ECONNRESET')
    await working()
  })
})

describe('black hole', () => {
  it('accepts everything, delivers nothing, tells nobody, and ends in a reset', async () => {
    const old = await working()
    await proxy.blackHole()
    const fresh = client()
    await once(fresh.socket, 'connect')
    old.socket.write('lost')
    fresh.socket.write('lost too')
    server.connections[0]?.write('unheard')
    await eventually(() => proxy.stats().toServer.swallowed).toBe('lostlost too'.length)
    await eventually(() => proxy.stats().toClient.swallowed).toBe('unheard'.length)
    expect([old.ended(), fresh.ended()]).toEqual([undefined, undefined])
    expect(server.connections.length).toBe(1)
    expect(server.received()).toBe('hello')
    expect(old.received()).toBe('[hello]')
    await proxy.heal()
    await eventually(old.ended).toBe('ECONNRESET')
    await eventually(fresh.ended).toBe('ECONNRESET')
    await working()
  })

  it('does not end a connection that nobody used meanwhile', async () => {
    const { socket, received, ended } = await working()
    await proxy.blackHole()
    await proxy.heal()
    socket.write('still there')
    await eventually(received).toBe('[hello][still there]')
    expect(ended()).toBeUndefined()
  })

  it.each(['end', 'destroy', 'resetAndDestroy'] as const)('does not tell one side of the other’s %s', async (how) => {
    const { ended, socket } = await working()
    await proxy.blackHole()
    const [connection] = server.connections
    if (connection === undefined) throw new Error('expected a connection')
    const gone = how === 'end' ? once(connection, 'finish') : once(connection, 'close')
    connection[how]()
    await gone
    // Long enough for the news to have come, had it been passed on.
    socket.write('anybody there?')
    await eventually(() => proxy.stats().toServer.swallowed).toBe('anybody there?'.length)
    const next = client()
    await once(next.socket, 'connect')
    expect(ended()).toBeUndefined()
    await proxy.heal()
    await eventually(ended).toBe('ECONNRESET')
  })

  it('swallows what was still on its way', async () => {
    const { socket } = await working()
    await proxy.latency(60_000)
    socket.write('slow')
    await eventually(() => proxy.stats().toServer.received).toBe(9)
    await proxy.blackHole()
    await eventually(() => proxy.stats().toServer.swallowed).toBe(4)
    expect(server.received()).toBe('hello')
  })
})

describe('half open', () => {
  it('carries the clients’ bytes and swallows the answers', async () => {
    const { socket, received, ended } = await working()
    await proxy.halfOpen('toClient')
    socket.write('heard')
    await eventually(server.received).toBe('helloheard')
    await eventually(() => proxy.stats().toClient.swallowed).toBe('[heard]'.length)
    expect(received()).toBe('[hello]')
    await proxy.heal()
    await eventually(ended).toBe('ECONNRESET')
  })

  it('or the other way round', async () => {
    const { socket, received } = await working()
    await proxy.halfOpen('toServer')
    socket.write('unheard')
    server.connections[0]?.write('hi')
    await eventually(received).toBe('[hello]hi')
    await eventually(() => proxy.stats().toServer.swallowed).toBe(7)
    expect(server.received()).toBe('hello')
  })
})

describe('latency', () => {
  it('delays both ways, and keeps the order whatever the jitter', async () => {
    const { socket, received } = await working()
    await proxy.latency(40, 35)
    const begin = performance.now()
    const words = Array.from({ length: 30 }, (_, i) => `<${i}>`)
    for (const word of words) socket.write(word)
    await eventually(() => received().replaceAll(/[[\]]/g, '')).toBe(`hello${words.join('')}`)
    expect(server.received()).toBe(`hello${words.join('')}`)
    expect(performance.now() - begin).toBeGreaterThanOrEqual(10)
  })

  it('is at least the delay, there and back', async () => {
    const { socket, received } = await working()
    await proxy.latency(60)
    const begin = performance.now()
    socket.write('x')
    await eventually(received).toBe('[hello][x]')
    expect(performance.now() - begin).toBeGreaterThanOrEqual(119)
  })
})

describe('bandwidth', () => {
  it('is not exceeded over time, and pushes back on the sender', async () => {
    const { socket } = await working()
    await proxy.bandwidth(400_000)
    const bytes = Buffer.alloc(4_000_000, 'x')
    const begin = performance.now()
    socket.write(bytes)
    await eventually(() => proxy.stats().toServer.forwarded).toBeGreaterThan(100_000)
    const seconds = (performance.now() - begin) / 1_000
    const { received, forwarded } = proxy.stats().toServer
    expect(forwarded).toBeLessThan(400_000 * seconds + 20_000)
    // What was read ahead of the line is bounded: the rest waits at the sender.
    expect(received - forwarded).toBeLessThan(256 * 1024)
    await proxy.heal()
    await eventually(() => proxy.stats().toServer.forwarded).toBe(4_000_005)
    await eventually(() => server.received().length).toBe(4_000_005)
  })

  it('is shared by all connections', async () => {
    const both = [await working(), await working()]
    await proxy.bandwidth(200_000)
    const begin = performance.now()
    for (const { socket } of both) socket.write(Buffer.alloc(40_000, 'y'))
    await eventually(() => proxy.stats().toServer.forwarded).toBe(80_010)
    expect(performance.now() - begin).toBeGreaterThan(350)
  })
})

describe('several faults at once', () => {
  it('are released one by one', async () => {
    const { socket, received } = await working()
    const releaseLatency = await proxy.latency(60_000)
    const releaseHole = await proxy.halfOpen('toServer')
    expect(proxy.faults.map(({ kind }) => kind)).toEqual(['latency', 'half-open'])
    await releaseLatency()
    await releaseHole()
    await releaseHole()
    expect(proxy.faults).toEqual([])
    socket.write('fine')
    await eventually(received).toBe('[hello][fine]')
  })

  it('may be the same one twice', async () => {
    const fault = { kind: 'cut' } as const
    const [first, second] = [await proxy.inject(fault), await proxy.inject(fault)]
    await first()
    await eventually(client().ended).toBe('ECONNRESET')
    await second()
    await working()
  })
})
