import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { FaultProxy } from '../../simulators/faults/index.ts'
import { buildBacklog } from './backlog.ts'
import type { Bench, BenchOptions, Measurement } from './bench.ts'
import { readingBytes, startCentre } from './forward.ts'
import { makeGateway } from './gateway.ts'
import { observe, publishAll } from './jetstream.ts'
import type { Scope } from './scope.ts'

const READINGS = 200_000
const SINGLES = 20_000

/** Bytes from the gateway to the centre, the handshake and everything else included; TCP and IP headers are not. */
export const wire: Bench = {
  name: 'wire',
  summary: 'bytes on the wire a reading, plain and gzip, beside js.publish of single readings',
  async *run(options): AsyncIterable<Measurement> {
    const { scope, signal } = options
    const backlog = await scope.folder()
    await buildBacklog(backlog, READINGS, signal)
    const peer = await scope.within((inner) => singles(options, inner))
    const unit = 'bytes/reading'
    const peerName = 'js.publish one by one'
    for (const [bench, compress] of [
      ['wire-plain', 'none'],
      ['wire-gzip', 'gzip'],
    ] as const) {
      const ours = await scope.within((inner) => drained(options, inner, backlog, compress))
      yield { bench, unit, ours, peer, peerName }
    }
  },
}

async function drained(
  options: BenchOptions,
  scope: Scope,
  backlog: string,
  compress: 'none' | 'gzip',
): Promise<number> {
  const { link } = await behindProxy(scope)
  const dir = join(await scope.folder(), 'gateway')
  await cp(backlog, dir, { recursive: true })
  const servers = [`nats://127.0.0.1:${link.port}`]
  const gateway = await makeGateway(options, scope, { dir, servers, forward: { compress } })
  await gateway.process.start()
  await gateway.process.waitFor((status) => status?.outbox.lanes.readings.forwarded === READINGS, 60_000)
  return link.stats().toServer.forwarded / READINGS
}

async function singles({ signal }: BenchOptions, scope: Scope): Promise<number> {
  const { link } = await behindProxy(scope)
  const observer = await observe(scope, [`nats://127.0.0.1:${link.port}`])
  await observer.manager.streams.add({ name: 'SINGLES', subjects: ['SINGLES.>'] })
  const before = link.stats().toServer.forwarded
  const body = (index: number): Uint8Array => readingBytes(index)
  await publishAll(observer, { subject: 'SINGLES.gw', body, count: SINGLES, inFlight: 256, signal })
  return (link.stats().toServer.forwarded - before) / SINGLES
}

async function behindProxy(scope: Scope): Promise<{ link: FaultProxy }> {
  const centre = await startCentre(scope, 1)
  const [url = ''] = centre.urls
  const link = await FaultProxy.listen({ target: { port: Number(new URL(url).port) } })
  await scope.defer(() => link.close())
  return { link }
}
