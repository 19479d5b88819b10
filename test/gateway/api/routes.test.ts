import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readApiFile } from '../../../gateway/api/index.ts'
import { levelDisk } from '../../../gateway/ports/index.ts'
import { FaultyDisk } from '../../support/faulty-disk.ts'
import { type RunningGateway, runGateway } from '../../support/running-gateway.ts'
import { type Refusal, refusal } from './support.ts'

const RULES = { rules: [{ id: 'hot', match: { metric: 'temperature' }, above: 80, severity: 'high' }] }

const put = (
  { ask }: RunningGateway,
  body: unknown,
  query = '',
  headers: Record<string, string> = {},
): Promise<Response> => ask(`/rules${query}`, { method: 'PUT', body: JSON.stringify(body), headers })

const act = ({ ask }: RunningGateway, body: unknown): Promise<Response> =>
  ask('/alarms/act', { method: 'POST', body: JSON.stringify(body) })

describe('the door', () => {
  it('opens for nobody without the token, whatever is asked', async () => {
    const live = await runGateway()
    const { url } = await readApiFile(live.dir)
    const asked = [
      '/',
      '/status',
      '/rules',
      '/rules/sets',
      '/rules/explain',
      '/alarms',
      '/events',
      '/readings',
      '/nothing',
    ]
    for (const path of asked)
      for (const authorization of [undefined, '', 'Bearer', 'Bearer ', 'Bearer wrong', 'Basic Zm9vOmJhcg=='])
        for (const method of ['GET', 'PUT', 'POST', 'DELETE', 'OPTIONS']) {
          const headers = authorization === undefined ? {} : { authorization }
          expect(await refusal(fetch(url + path, { method, headers })), `${method} ${path}`).toEqual([
            401,
            'API_UNAUTHORIZED',
          ])
        }
    expect((await fetch(`${url}/status`, { method: 'HEAD' })).status).toBe(401)
    expect((await fetch(`${url}/rules`, { method: 'PUT', body: JSON.stringify(RULES) })).status).toBe(401)
    expect(await (await live.ask('/rules/sets')).json()).toEqual([])
  })

  it('is described in a file for the owner alone, whose token stays the same', async () => {
    const live = await runGateway()
    const file = join(live.dir, 'api.json')
    const { token } = await readApiFile(live.dir)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect((await stat(join(live.dir, 'api-token'))).mode & 0o777).toBe(0o600)
    await live.stop()
    await expect(readFile(file)).rejects.toThrow('ENOENT')
    const again = await runGateway({ dir: live.dir })
    expect((await readApiFile(again.dir)).token).toBe(token)
  })

  it('says what it does not know', async () => {
    const { ask } = await runGateway()
    expect(await refusal(ask('/nothing'))).toEqual([404, 'API_UNKNOWN_PATH'])
    expect(await refusal(ask('/alarms', { method: 'DELETE' }))).toEqual([404, 'API_UNKNOWN_PATH'])
  })

  it('takes no body that is too large, or no JSON', async () => {
    const live = await runGateway()
    const large = JSON.stringify({ rules: [], text: 'x'.repeat(33 * 1024 * 1024) })
    expect(await refusal(live.ask('/rules', { method: 'PUT', body: large }))).toEqual([413, 'API_BODY_TOO_LARGE'])
    expect(await refusal(live.ask('/rules', { method: 'PUT', body: '{"rules":' }))).toEqual([400, 'API_BODY'])
    expect(await refusal(live.ask('/alarms/act', { method: 'POST' }))).toEqual([400, 'API_BODY'])
    expect((await live.ask('/status')).status).toBe(200)
  })

  it('cannot stand where another program listens', async () => {
    const live = await runGateway()
    const { port } = new URL(live.gateway.api)
    await expect(runGateway({ yaml: `api: { port: ${port} }` })).rejects.toMatchObject({ code: 'API_PORT_IN_USE' })
  })
})

it('GET /status says how the gateway is', async () => {
  const live = await runGateway()
  await put(live, RULES)
  await live.publish('press-1', 'temperature', 20)
  const status = (await (await live.ask('/status')).json()) as object
  expect(status).toMatchObject({ site: 'site', gateway: 'gw', series: 1, rules: { count: 1 }, link: { link: 'down' } })
})

describe('/rules', () => {
  it('gives a set as it was written, with its revision as entity tag', async () => {
    const live = await runGateway()
    const empty = await live.ask('/rules')
    expect(await empty.json()).toEqual({ rules: [] })
    const answer = await put(live, RULES)
    const { revision, changed } = (await answer.json()) as { revision: string; changed: boolean }
    expect([answer.status, changed, answer.headers.get('etag')]).toEqual([200, true, `"${revision}"`])
    expect(empty.headers.get('etag')).not.toBe(`"${revision}"`)
    const shown = await live.ask('/rules?set=main')
    expect([await shown.json(), shown.headers.get('etag')]).toEqual([RULES, `"${revision}"`])
    expect(await (await put(live, RULES)).json()).toEqual({ revision, changed: false })
    expect(await (await live.ask('/rules/sets')).json()).toEqual([
      { set: 'main', revision, rules: 1, since: expect.any(Number) },
    ])
  })

  it('replaces only what nobody else changed', async () => {
    const live = await runGateway()
    const tag = (await live.ask('/rules')).headers.get('etag') ?? ''
    expect((await put(live, RULES, '', { 'if-match': tag })).status).toBe(200)
    expect(await refusal(put(live, { rules: [] }, '', { 'if-match': tag }))).toEqual([412, 'RULES_CHANGED_MEANWHILE'])
    expect(await refusal(put(live, { rules: [] }, '', { 'if-match': 'bare' }))).toEqual([400, 'API_IF_MATCH'])
    expect(await (await live.ask('/rules')).json()).toEqual(RULES)
    expect((await put(live, { rules: [] }, '', { 'if-match': '*' })).status).toBe(200)
  })

  it('tells each of two who change it at once the revision that he made', async () => {
    const live = await runGateway()
    const [one, other] = [RULES, { rules: [{ id: 'cold', match: {}, below: 3 }] }]
    const answers = await Promise.all([put(live, one), put(live, other)])
    const [first, second] = answers.map((answer) => answer.headers.get('etag'))
    expect(first).not.toBe(second)
    const last = (await live.ask('/rules')).headers.get('etag')
    expect([first, second]).toContain(last)
  })

  it('refuses with every problem', async () => {
    const live = await runGateway()
    const wrong = {
      rules: [
        { id: 'a', match: {} },
        { id: 'b', match: {}, above: 'x' },
      ],
    }
    const answer = await put(live, wrong)
    const { error } = (await answer.json()) as Refusal
    expect([answer.status, error.code]).toEqual([400, 'RULES_INVALID'])
    expect(error.problems?.map(({ path }) => path).sort()).toEqual(['rules[0]', 'rules[1].above'])
    await put(live, RULES)
    const taken = (await (await put(live, RULES, '?set=other')).json()) as Refusal
    expect(taken.error.problems).toEqual([{ path: 'rules[0].id', message: expect.stringContaining("rule set 'main'") }])
    expect(await refusal(put(live, RULES, '?set=a%20b'))).toEqual([400, 'RULES_SET_NAME'])
    expect(await refusal(put(live, RULES, '?set=file'))).toEqual([400, 'RULES_SET_FILE'])
  })

  it('explains what holds for a series', async () => {
    const live = await runGateway()
    await put(live, {
      rules: [{ id: 'hot', match: {}, above: 80, overrides: [{ match: { labels: { line: '3' } }, above: 90 }] }],
    })
    const explain = async (labels: string) => {
      const answer = await live.ask(`/rules/explain?device=d&metric=m${labels}`)
      return ((await answer.json()) as { from: { above: string } }[])[0]?.from.above
    }
    expect(await explain('')).toBe('rule')
    expect(await explain(`&labels=${encodeURIComponent('{"line":"3"}')}`)).toBe('overrides[0]')
    await live.publish('d', 'm', { value: 1, labels: { line: '3' } })
    expect(await explain('')).toBe('overrides[0]')
    expect(await refusal(live.ask('/rules/explain?device=d'))).toEqual([400, 'API_QUERY'])
    expect(await refusal(live.ask('/rules/explain?device=d&metric=m&labels=x'))).toEqual([400, 'API_QUERY'])
  })
})

describe('/alarms', () => {
  it('lists by device, rule and state', async () => {
    const live = await runGateway()
    await put(live, RULES)
    await live.publish('press-1', 'temperature', 90)
    await live.publish('press-2', 'temperature', 20)
    const list = async (query: string) =>
      (await (await live.ask(`/alarms${query}`)).json()) as { device: string; state: string }[]
    expect(await list('')).toMatchObject([
      { device: 'press-1', rule: 'hot', state: 'unacknowledged', severity: 'high', value: 90 },
    ])
    expect(await list('?state=all')).toHaveLength(2)
    expect(await list('?state=normal')).toMatchObject([{ device: 'press-2' }])
    expect(await list('?state=all&device=*-2')).toMatchObject([{ device: 'press-2' }])
    expect(await list('?state=all&rule=cold')).toEqual([])
    expect(await refusal(live.ask('/alarms?state=unacknowleged'))).toEqual([400, 'API_QUERY'])
  })

  it('does something to one, and says why not', async () => {
    const live = await runGateway()
    await put(live, RULES)
    await live.publish('press-1', 'temperature', 90)
    const hot = { device: 'press-1', rule: 'hot' }
    const done = await act(live, { ...hot, action: 'acknowledge', by: 'nina', comment: 'seen' })
    expect([done.status, await done.json()]).toMatchObject([
      200,
      { type: 'tidegate.alarm.acknowledged', transition: 2, data: { by: 'nina', comment: 'seen' } },
    ])
    expect(await refusal(act(live, { ...hot, action: 'acknowledge' }))).toEqual([409, 'ALARM_ACTION_REFUSED'])
    expect(await refusal(act(live, { ...hot, device: 'x', action: 'acknowledge' }))).toEqual([404, 'ALARM_UNKNOWN'])
    for (const body of [
      { ...hot, action: 'explode' },
      { action: 'reset' },
      { ...hot, action: 'shelve' },
      { ...hot, action: 'shelve', for: 'long' },
      { ...hot, action: 'shelve', for: '0s' },
      { ...hot, action: 'reset', for: '1h' },
      { ...hot, action: 'reset', more: 1 },
      { ...hot, action: 'reset', comment: 'x'.repeat(501) },
      [],
      null,
    ])
      expect(await refusal(act(live, body)), JSON.stringify(body).slice(0, 80)).toEqual([400, 'API_BODY'])
    const before = Date.now()
    const shelved = (await (await act(live, { ...hot, action: 'shelve', for: '1h' })).json()) as {
      data: { until: number }
    }
    expect(shelved.data.until - before).toBeGreaterThanOrEqual(3_600_000)
  })
})

it('what cannot be stored is refused with 503, and nothing is decided', async () => {
  const disk = new FaultyDisk(levelDisk)
  const live = await runGateway({ world: { disk } })
  await put(live, RULES)
  await live.publish('press-1', 'temperature', 90)
  disk.failOpen = new Error('EIO: the disk is gone')
  disk.failWrite = new Error('EIO: the disk is gone')
  // The first is caught by the failing write, the next by the store that is not open.
  for (const _ of [1, 2]) {
    const [status, code] = await refusal(act(live, { device: 'press-1', rule: 'hot', action: 'acknowledge' }))
    expect([status, code]).toEqual([503, expect.stringMatching(/^OUTBOX_/)])
    expect((await refusal(put(live, { rules: [] })))[0]).toBe(503)
  }
  disk.failOpen = null
  await expect.poll(async () => (await put(live, { rules: [] })).status, { timeout: 20_000 }).toBe(200)
})

it("a stored set that this version does not take any more stands in nobody's way", async () => {
  const live = await runGateway()
  await put(live, RULES)
  await live.stop()
  const store = await levelDisk.openStore(join(live.dir, 'db'), { create: false, compression: true })
  const { encodeNote, openNote } = await import('../../../gateway/outbox/note.ts')
  const { namedKey } = await import('../../../gateway/outbox/keys.ts')
  const key = namedKey('s', '["rules"]')
  const note = openNote((await store.get(key)) ?? Buffer.alloc(0))
  const book = JSON.parse((note ?? '').toString()) as { sets: { main: { given: unknown } } }
  book.sets.main.given = { rules: [{ id: 'hot', match: {}, hotter: 80 }] }
  await store.write([{ type: 'put', key, value: encodeNote(book) }], { sync: true })
  await store.close()
  const again = await runGateway({ dir: live.dir })
  expect(await (await again.ask('/rules/sets')).json()).toMatchObject([{ set: 'main', rules: 0 }])
  expect((await put(again, RULES, '?set=other')).status).toBe(200)
})

it('a rules file is followed beside what is put', async () => {
  const live = await runGateway()
  await live.stop()
  await mkdir(live.dir, { recursive: true })
  await writeFile(join(live.dir, 'rules.yaml'), JSON.stringify(RULES))
  const again = await runGateway({ dir: live.dir, yaml: 'rules: { file: rules.yaml, checkEvery: 100ms }' })
  expect(await (await again.ask('/rules?set=file')).json()).toEqual(RULES)
  await writeFile(join(live.dir, 'rules.yaml'), 'rules: []')
  await expect.poll(async () => (await again.ask('/rules?set=file')).json()).toEqual({ rules: [] })
})
