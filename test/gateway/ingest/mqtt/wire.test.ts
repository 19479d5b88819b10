import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { tcpWire } from '../../../../gateway/ingest/mqtt/tcp-wire.ts'
import { streamWire, type Wire } from '../../../../gateway/ingest/mqtt/wire.ts'
import { makeTempDir } from '../../../support/temp-dir.ts'

let dir: Awaited<ReturnType<typeof makeTempDir>>
const clean: (() => void)[] = []

beforeEach(async () => {
  dir = await makeTempDir()
})
afterEach(async () => {
  for (const end of clean.splice(0).reverse()) end()
  await dir.remove()
})

type MakeWire = (accepted: Socket) => Wire<Socket>

/** A server that has accepted one client. */
async function accept(make: MakeWire, kind: 'tcp' | 'unix' = 'tcp') {
  const server = createServer({ pauseOnConnect: true })
  const accepted = once(server, 'connection') as Promise<[Socket]>
  server.listen(kind === 'unix' ? { path: join(dir.path, 's') } : { host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  const address = server.address()
  const client = connect(typeof address === 'string' ? { path: address } : { port: address?.port ?? 0 })
  client.on('error', () => undefined)
  const wire = make((await accepted)[0])
  const received: Buffer[] = []
  wire.stream.on('error', () => undefined)
  wire.read((bytes) => received.push(Buffer.from(bytes)))
  clean.push(() => {
    client.destroy()
    wire.stream.destroy()
    server.close()
  })
  return { server, client, wire, received, text: () => Buffer.concat(received).toString() }
}

/** Writes as a connection does: what is not taken at once goes to the stream. */
function write({ stream, writeNow }: Wire, bytes: Buffer): void {
  const written = writeNow(bytes)
  if (written < bytes.length) stream.write(bytes.subarray(written))
}

const soon = <T>(look: () => T): Promise<T> => vi.waitFor(look, { timeout: 10_000, interval: 5 })

describe.each([
  ['of a stream', streamWire],
  ['of a TCP socket, past its streams', tcpWire],
] as [string, MakeWire][])('a wire %s', (_name, make) => {
  test.each(['tcp', 'unix'] as const)('gives what comes, in order, and takes what goes (%s)', async (kind) => {
    const { client, wire, text } = await accept(make, kind)
    wire.stream.resume()
    let sent = ''
    for (let n = 0; n < 50; n++) {
      client.write(`${n},`)
      sent += `${n},`
      await soon(() => expect(text()).toBe(sent))
    }
    const answer: string[] = []
    client.on('data', (chunk) => answer.push(chunk.toString()))
    write(wire, Buffer.from('one '))
    write(wire, Buffer.from('two'))
    await soon(() => expect(answer.join('')).toBe('one two'))
  })

  test('reads nothing while the stream rests, and goes on where it stopped', async () => {
    const { client, wire, text } = await accept(make)
    wire.stream.pause()
    await new Promise((resolve) => client.write('early ', resolve))
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(text()).toBe('')
    wire.stream.resume()
    await soon(() => expect(text()).toBe('early '))
    wire.stream.pause()
    client.write('late')
    wire.stream.resume()
    await soon(() => expect(text()).toBe('early late'))
  })

  test('a stream that is paused in the moment in which it is resumed rests', async () => {
    const { client, wire, text } = await accept(make)
    await new Promise((resolve) => client.write('early', resolve))
    wire.stream.resume()
    wire.stream.pause()
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(text()).toBe('')
    wire.stream.resume()
    await soon(() => expect(text()).toBe('early'))
  })

  test('what comes while the stream rests is given in order afterwards, however much it is', async () => {
    const { client, wire, received } = await accept(make)
    wire.stream.resume()
    client.write('now')
    await soon(() => expect(received).toHaveLength(1))
    wire.stream.pause()
    const all = Buffer.alloc(3 * 1024 * 1024)
    for (let at = 0; at < all.length; at += 4) all.writeUInt32LE(at, at)
    client.write(all)
    await soon(() => expect(wire.stream.readableLength).toBeGreaterThan(0))
    expect(wire.stream.readableLength).toBeLessThan(1024 * 1024)
    wire.stream.resume()
    await soon(() => expect(received.reduce((sum, { length }) => sum + length, 0)).toBe(3 + all.length))
    expect(Buffer.concat(received).subarray(3).equals(all)).toBe(true)
  })

  test('a client that breaks off while the stream rests is gone', async () => {
    const { client, wire, received } = await accept(make)
    wire.stream.resume()
    client.write('now')
    await soon(() => expect(received).toHaveLength(1))
    wire.stream.pause()
    const closed = new Promise((resolve) => wire.stream.once('close', resolve))
    client.resetAndDestroy()
    await closed
  })

  test('a client that does not read gets everything in order once it does', async () => {
    const { client, wire } = await accept(make)
    client.pause()
    const piece = (n: number): Buffer => Buffer.alloc(64 * 1024, n)
    let written = 0
    // More than the operating system holds for both ends.
    for (; wire.stream.writableLength < 1024 * 1024; written++) write(wire, piece(written % 256))
    write(wire, Buffer.from('end'))
    const got: Buffer[] = []
    client.on('data', (chunk) => got.push(chunk))
    client.resume()
    await soon(() => expect(got.at(-1)?.subarray(-3).toString()).toBe('end'))
    const all = Buffer.concat(got)
    expect(all.length).toBe(written * 64 * 1024 + 3)
    for (let n = 0; n < written; n++)
      expect(all.subarray(n * 64 * 1024, (n + 1) * 64 * 1024).equals(piece(n % 256)), `piece ${n}`).toBe(true)
  })

  test('ends with the client, and the server is closed once it has', async () => {
    const { server, client, wire } = await accept(make)
    const closed = once(wire.stream, 'close')
    wire.stream.resume()
    const over = new Promise<void>((resolve) => server.close(() => resolve()))
    client.end()
    await closed
    await over
    expect(wire.writeNow(Buffer.from('x'))).toBe(0)
  })

  test('a client that is gone is an error of the stream, or its end', async () => {
    const { client, wire } = await accept(make)
    wire.stream.resume()
    const closed = new Promise((resolve) => wire.stream.once('close', resolve))
    client.resetAndDestroy()
    await closed
    expect(wire.writeNow(Buffer.from('x'))).toBe(0)
  })

  test('nothing is written behind the end', async () => {
    const { client, wire } = await accept(make)
    const got: Buffer[] = []
    client.on('data', (chunk) => got.push(chunk))
    wire.stream.end('bye')
    expect(wire.writeNow(Buffer.from('x'))).toBe(0)
    await once(client, 'end')
    expect(Buffer.concat(got).toString()).toBe('bye')
  })

  test('what both ends are called stays as it is', async () => {
    const { client, wire } = await accept(make)
    expect(wire.stream.remotePort).toBe(client.localPort)
    expect(wire.stream.remoteAddress).toBe('127.0.0.1')
  })
})

test('this Node reads past the stream, into the same place each time', async () => {
  const { client, wire } = await accept(tcpWire)
  const places: ArrayBufferLike[] = []
  wire.read((bytes) => places.push(bytes.buffer))
  wire.stream.resume()
  client.write('one')
  await soon(() => expect(places).toHaveLength(1))
  client.write('two')
  await soon(() => expect(places).toHaveLength(2))
  expect(places[0]).toBe(places[1])
  expect(wire.writeNow(Buffer.from('three'))).toBe(5)
})

test('a socket that Node made otherwise is used as it is', async () => {
  const { wire } = await accept((accepted) => {
    Object.assign(accepted, { _server: undefined })
    const made = tcpWire(accepted)
    expect(made.stream).toBe(accepted)
    return made
  })
  expect(wire.writeNow(Buffer.from('x'))).toBe(0)
})
