import { expect, it, vi } from 'vitest'
import { MemoryDisk } from '../../../gateway/ports/index.ts'
import type { Bytes, Millis } from '../../../sync/contract/index.ts'
import { runGateway } from '../../support/running-gateway.ts'

const AFTER: Millis = 3000
const ROOM: Bytes = 1_000_000
const RULES = { rules: [{ id: 'silent', match: { metric: 'temperature' }, missing: { after: `${AFTER}ms` } }] }

it('what is not heard because nothing is taken in is not taken for silence', async () => {
  const disk = new MemoryDisk()
  const live = await runGateway({
    world: { disk },
    config: ({ outbox }) => {
      Object.assign(outbox, { minFree: ROOM })
    },
  })
  const { gateway } = live
  const full = async (reason: 'disk' | null): Promise<void> =>
    await vi.waitFor(async () => expect((await gateway.status()).outbox.full).toBe(reason), { timeout: 10_000 })
  const headers = { 'content-type': 'application/json' }
  const put = await live.ask('/rules', { method: 'PUT', body: JSON.stringify(RULES), headers })
  expect(put.ok, await put.text()).toBe(true)
  await live.publish('press-1', 'temperature', { value: 20, seq: 1 })
  const { at } = await gateway.status()
  disk.capacity = ROOM
  await full('disk')
  await vi.waitFor(async () => expect((await gateway.status()).at - at).toBeGreaterThan(AFTER), { timeout: 10_000 })
  disk.capacity = Number.POSITIVE_INFINITY
  await full(null)
  await live.publish('press-1', 'temperature', { value: 20, seq: 2 })
  const alarms: unknown = await (await live.ask('/alarms?state=all')).json()
  expect(alarms).toMatchObject([{ device: 'press-1', rule: 'silent', transition: 0 }])
})
