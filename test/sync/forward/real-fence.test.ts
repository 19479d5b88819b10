import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CentralServer, startCentral } from '../../../simulators/central/index.ts'
import { HEADERS, readingsSubject, STREAMS } from '../../../sync/contract/index.ts'
import { raiseFence, readChain } from '../../../sync/forward/index.ts'
import { encodePack } from '../../../sync/forward/pack.ts'
import { type CentralSession, natsDialer, previousOf } from '../../../sync/link/index.ts'
import { streamPlans } from '../../../sync/provision/index.ts'
import { makeTempDir } from '../../support/temp-dir.ts'

const TIMEOUT = 5000
const SITE = 'hall.3'

let server: CentralServer
let session: CentralSession
let remove: () => Promise<void>

beforeAll(async () => {
  const dir = await makeTempDir()
  remove = () => dir.remove()
  server = await startCentral({ dir: dir.path })
  const url = `nats://127.0.0.1:${server.port}`
  const dialer = natsDialer({ servers: [url], name: 'test', dialTimeout: 2000, pingInterval: 10_000 })
  session = await dialer.dial(new AbortController().signal)
  const plan = streamPlans({ replicas: 1, storage: 'file', maxBytes: -1, maxAge: 0 }).find(
    ({ name }) => name === STREAMS.readings,
  )
  if (plan) await session.provision(plan, TIMEOUT)
})
afterAll(async () => {
  await session.close()
  await server.kill()
  await remove()
})

/** Record `n` of a gateway, behind message `expected` of its chain. */
async function append(gateway: string, n: number, expected: number): Promise<number> {
  const body = Buffer.from(`{"gateway":"${gateway}","n":${n}}\n`)
  const slice = { from: n, next: n + 1, count: 1, body, gaps: [], lineage: n }
  const target = { stream: STREAMS.readings, subject: readingsSubject(SITE, gateway) }
  return session.append(await encodePack(slice, { epoch: 'e', term: 1 }, target, false), expected, TIMEOUT)
}

describe('a fence on a real server', () => {
  it('stops who has not read it, on its own chain and no other', async () => {
    const one = await append('one', 0, 0)
    const two = await append('two', 0, 0)
    const learnt: string[] = []
    const order = {
      stream: STREAMS.readings,
      subject: readingsSubject(SITE, 'one'),
      by: 'two',
      inPlaceOf: null,
      after: 0,
      newerThan: two,
      ackTimeout: TIMEOUT,
      learn: async ({ lines }: { lines: readonly string[] }) => void learnt.push(...lines),
    }
    const fence = await raiseFence(session, order)
    expect(learnt).toEqual(['{"gateway":"one","n":0}'])
    await expect(append('one', 1, one)).rejects.toMatchObject({ code: 'LINK_WRONG_LAST_SEQUENCE', actual: fence })
    expect(await append('two', 1, two)).toBe(fence + 1)
    expect(await raiseFence(session, { ...order, after: one })).toBe(fence)

    const head = await session.head(STREAMS.readings, order.subject, TIMEOUT)
    expect(head && previousOf(head)).toBe(one)
    expect(head?.body.length).toBe(0)
    expect(Object.fromEntries(head?.headers ?? [])).toMatchObject({
      [HEADERS.fence]: 'two',
      [HEADERS.epoch]: 'e',
      [HEADERS.from]: '1',
      [HEADERS.to]: '0',
      [HEADERS.count]: '0',
      [HEADERS.lineage]: '00000000',
    })
    const last = await append('one', 1, fence)
    expect(await readChain(session, { ...order, after: fence })).toBe(last)
    expect(learnt).toEqual(['{"gateway":"one","n":0}', '{"gateway":"one","n":1}'])
  })

  it('and a pack that are sent at the same moment never both follow the same message', async () => {
    let end = await append('racer', 0, 0)
    for (let n = 1; n <= 50; n++) {
      const learnt: number[] = []
      const [pack, fence] = await Promise.allSettled([
        append('racer', n, end),
        raiseFence(session, {
          stream: STREAMS.readings,
          subject: readingsSubject(SITE, 'racer'),
          by: 'other',
          inPlaceOf: null,
          after: end,
          newerThan: end,
          ackTimeout: TIMEOUT,
          learn: async ({ sequence }) => void learnt.push(sequence),
        }),
      ])
      if (fence.status === 'rejected') throw fence.reason
      // Either the pack came first, and whoever fenced has read it, or it was not stored.
      if (pack.status === 'fulfilled') expect(learnt).toEqual([pack.value])
      else expect(learnt).toEqual([])
      end = fence.value
    }
  })
})
