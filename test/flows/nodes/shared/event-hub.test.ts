import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { GatewayApi } from '../../../../flows/api/index.ts'
import { Cursor } from '../../../../flows/nodes/shared/cursor.ts'
import { EventHub, type EventListener } from '../../../../flows/nodes/shared/event-hub.ts'
import { SimulatedClock, systemClock, systemRandom } from '../../../../sync/runtime/index.ts'
import { tempDir } from '../../../support/temp-dir.ts'
import { TestGateway } from '../../support/test-gateway.ts'

interface World {
  gateway: TestGateway
  hub: EventHub
  /** Every event that anybody was handed: `node: event`. */
  handed: string[]
  listener(id: string): EventListener
}

async function world(): Promise<World> {
  const dir = await tempDir()
  const gateway = new TestGateway(join(dir, 'api.json'))
  await gateway.start()
  const handed: string[] = []
  const hub = new EventHub({
    api: new GatewayApi(gateway.apiFile, systemClock),
    // Its clock stands still: it writes nothing while the folder is being removed.
    cursor: new Cursor(join(dir, 'cursor.json'), new SimulatedClock()),
    clock: systemClock,
    random: systemRandom,
    opened: () => undefined,
    passed: ({ device }) => void handed.push(`all: ${device}`),
  })
  onTestFinished(async () => {
    for (const id of ['a', 'b']) hub.leave(id, true)
    await gateway.stop()
  })
  const listener = (id: string): EventListener => ({
    event: ({ device }) => void handed.push(`${id}: ${device}`),
    gap: () => undefined,
    link: () => undefined,
  })
  return { gateway, hub, handed, listener }
}

test('nothing is handed on before all flows have started: the nodes behind would not be there', async () => {
  const { gateway, hub, handed, listener } = await world()
  hub.join('a', listener('a'))
  await expect.poll(() => gateway.listening).toBe(1)
  gateway.emit('one', 'r', 'raised', 'hi')
  await gateway.sent()
  expect(handed).toEqual([])
  hub.join('b', listener('b'))
  hub.complete()
  await expect.poll(() => handed).toEqual(['all: one', 'a: one', 'b: one'])
  expect(gateway.listening).toBe(1)
})

test('while a deploy replaces a node nobody is handed anything, and then it gets what may have been dropped', async () => {
  const { gateway, hub, handed, listener } = await world()
  for (const id of ['a', 'b']) hub.join(id, listener(id))
  hub.complete()
  await expect.poll(() => gateway.listening).toBe(1)
  gateway.emit('one', 'r', 'raised', 'hi')
  await expect.poll(() => handed.splice(0)).toEqual(['all: one', 'a: one', 'b: one'])
  hub.leave('a', false)
  gateway.emit('two', 'r', 'raised', 'hi')
  await gateway.sent()
  expect(handed).toEqual([])
  hub.join('a', listener('a'))
  hub.complete()
  await expect.poll(() => handed).toEqual(['a: one', 'all: two', 'a: two', 'b: two'])
})

test('a node that was taken out is not waited for, and the last one ends the stream', async () => {
  const { gateway, hub, handed, listener } = await world()
  for (const id of ['a', 'b']) hub.join(id, listener(id))
  await expect.poll(() => gateway.listening).toBe(1)
  hub.leave('a', true)
  hub.complete()
  gateway.emit('one', 'r', 'raised', 'hi')
  await expect.poll(() => handed).toEqual(['all: one', 'b: one'])
  hub.leave('b', true)
  await expect.poll(() => gateway.listening).toBe(0)
})

test('what happens while the stream is broken is not missed, also before the first event', async () => {
  const { gateway, hub, handed, listener } = await world()
  hub.join('a', listener('a'))
  hub.complete()
  await hub.placed(() => undefined)
  await gateway.stop()
  gateway.emit('one', 'r', 'raised', 'hi')
  await gateway.start()
  await expect.poll(() => handed).toEqual(['all: one', 'a: one'])
})

test('nothing is missed from where the gateway says that the stream begins, or when nobody listens', async () => {
  const { gateway, hub, listener } = await world()
  const why: string[] = []
  const placed = (): Promise<void> => hub.placed((text) => void why.push(text))
  await placed()
  expect(why).toEqual([])
  await gateway.stop()
  hub.join('a', listener('a'))
  hub.complete()
  const placing = placed().then(() => gateway.listening)
  await expect.poll(() => why.at(-1)).toContain('the gateway does not run')
  await gateway.start()
  expect(await placing).toBe(1)
})
