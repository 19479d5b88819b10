import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { soon, startTestFlows, type TestFlows } from './support/test-flows.ts'

let t: TestFlows
let cms: Server
/** What the CMS has been sent, and what it answers next. */
const items: Record<string, unknown>[] = []
const answers: number[] = []

beforeAll(async () => {
  cms = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request.setEncoding('utf8')) text += chunk
    const status = answers.shift() ?? 200
    if (status === 200) items.push(JSON.parse(text) as Record<string, unknown>)
    response.writeHead(status).end('{}')
  }).listen(0, '127.0.0.1')
  await once(cms, 'listening')
  t = await startTestFlows()
})

afterAll(async () => {
  await t.stop()
  await new Promise((closed) => cms.close(closed))
})

type NodeJson = Record<string, unknown>

async function example(name: string, change: (node: NodeJson) => NodeJson = (node) => node): Promise<void> {
  const file = join(import.meta.dirname, '../../flows/examples', `${name}.json`)
  await t.deploy((JSON.parse(await readFile(file, 'utf8')) as NodeJson[]).map(change))
}

describe('a webhook to a CMS', () => {
  const url = (): string => `http://127.0.0.1:${(cms.address() as AddressInfo).port}/items/threshold_events`
  beforeAll(async () => {
    await example('webhook-to-cms', (node) => {
      if (node['type'] === 'tab') return { ...node, env: [{ name: 'CMS_URL', value: url(), type: 'str' }] }
      // Tests do not wait a second between two attempts.
      if (node['name'] !== 'how long to wait') return node
      return { ...node, func: String(node['func']).replaceAll('1000', '10') }
    })
  })

  test('creates an item for each event', async () => {
    await soon(() => t.gateway.listening).toBe(1)
    t.gateway.emit('boiler-1', 'hot', 'raised', 'hi')
    await soon(() => items).toEqual([
      expect.objectContaining({ id: 'boiler-1/hot/1', kind: 'raised', severity: 'high' }),
    ])
  })

  test('tries again what may pass', async () => {
    answers.push(503, 429, 500)
    t.gateway.emit('boiler-2', 'hot', 'raised', 'hi')
    await soon(() => items.at(-1)).toMatchObject({ device: 'boiler-2' })
    expect(answers).toEqual([])
  })

  test('keeps what is refused, and what fails too often, as dead letters, and sends them again when asked', async () => {
    answers.push(422)
    t.gateway.emit('boiler-3', 'hot', 'raised', 'hi')
    await soon(() => answers).toEqual([])
    answers.push(...Array<number>(8).fill(500))
    t.gateway.emit('boiler-4', 'hot', 'raised', 'hi')
    await soon(() => answers).toEqual([])
    const letters = async (): Promise<unknown> => {
      const answer = await t.admin('GET', '/context/flow/tgwebhookouttab1/deadLetters')
      const { msg } = (await answer.json()) as { msg?: string }
      return (JSON.parse(msg ?? '[]') as { item: { device: string } }[]).map(({ item }) => item?.device ?? item)
    }
    await soon(letters).toEqual(['boiler-3', 'boiler-4'])
    const before = items.length
    expect((await t.admin('POST', '/inject/tgwebhookoutin01', {})).status).toBe(200)
    await soon(() => items.slice(before).map(({ device }) => device)).toEqual(['boiler-3', 'boiler-4'])
  })
})

describe('an inbound webhook', () => {
  beforeAll(() => example('inbound-webhook'))
  const post = (path: string, body: string, type = 'application/json'): Promise<Response> =>
    fetch(`${t.flows.url}/hooks/readings/${path}`, { method: 'POST', headers: { 'content-type': type }, body })

  test('becomes a reading, and is answered when the gateway has it', async () => {
    const answer = await post('office/temperature', '{"value": 21.5, "unit": "Cel"}')
    expect([answer.status, await answer.json()]).toEqual([200, { stored: true }])
    await soon(() => t.gateway.published.at(-1)).toMatchObject({
      topic: 'sensors/office/temperature',
      body: { value: 21.5, unit: 'Cel', labels: { via: 'node-red' } },
    })
    expect((await post('office/humidity', '40', 'text/plain')).status).toBe(200)
    expect(t.gateway.published.at(-1)).toMatchObject({ topic: 'sensors/office/humidity', body: { value: 40 } })
  })

  test('says who is to blame when it does not', async () => {
    const wrong = await post('office/temperature', '{"unit": "Cel"}')
    expect([wrong.status, ((await wrong.json()) as { code: string }).code]).toEqual([400, 'READING_INVALID'])
    await t.gateway.stop()
    const away = await post('office/temperature', '{"value": 1}')
    expect(away.status).toBe(503)
    await t.gateway.start()
  })
})
