import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { expect, it } from 'vitest'
import { readApiFile } from '../../gateway/api/index.ts'
import { runGateway } from '../support/running-gateway.ts'

const PAGE = resolve(import.meta.dirname, '../../docs/http-api.md')

/** The curl commands of the page, in order. */
async function commands(): Promise<string[]> {
  const text = await readFile(PAGE, 'utf8')
  const blocks = [...text.matchAll(/^```sh\n(.*?)^```/gms)].map((match) => match[1] ?? '')
  return blocks.flatMap((block) => block.split('\n').filter((line) => line.startsWith('curl ')))
}

interface Call {
  url: URL
  method: string
  headers: Record<string, string>
  body: string | undefined
  /** Whether the answer has no end (`-N`). */
  endless: boolean
}

/** What curl would ask for; it need not be installed. */
function callOf(command: string, variables: Readonly<Record<string, string>>): Call {
  const words = [...command.matchAll(/'([^']*)'|"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(
    ([, quoted, expanded, bare]) =>
      quoted ?? (expanded ?? bare ?? '').replace(/\$([A-Z]+)/g, (_, name) => variables[name] ?? ''),
  )
  const call = {
    url: '',
    method: 'GET',
    headers: {} as Record<string, string>,
    body: undefined as string | undefined,
    endless: false,
  }
  const query: string[] = []
  for (let i = 1; i < words.length; i++) {
    const word = words[i] ?? ''
    const value = (): string => words[++i] ?? ''
    if (word === '-s' || word === '-G') continue
    if (word === '-N') call.endless = true
    else if (word === '-X') call.method = value()
    else if (word === '-d') call.body = value()
    else if (word === '-H') {
      const [name = '', text = ''] = value().split(/: (.*)/s)
      call.headers[name] = text
    } else if (word === '--data-urlencode') {
      const [name = '', text = ''] = value().split(/=(.*)/s)
      query.push(`${name}=${encodeURIComponent(text)}`)
    } else if (/^https?:/.test(word)) call.url = word
    else throw new Error(`${word} in: ${command}`)
  }
  return { ...call, url: new URL(query.length === 0 ? call.url : `${call.url}?${query.join('&')}`) }
}

it('every request of docs/http-api.md is answered as it says', async () => {
  const live = await runGateway()
  const { url, token } = await readApiFile(live.dir)
  const all = await commands()
  expect(all.length).toBeGreaterThanOrEqual(9)
  for (const command of all) {
    const { endless, url: where, ...init } = callOf(command, { API: url, TOKEN: token })
    const stop = new AbortController()
    const answer = await fetch(where, { ...init, body: init.body ?? null, signal: stop.signal })
    // It has no peer.
    if (init.method === 'POST' && where.pathname === '/handover')
      expect([answer.status, await answer.json()], command).toMatchObject([
        409,
        { error: { code: 'HANDOVER_NO_PEER' } },
      ])
    else if (!endless) expect([answer.status, await answer.json()], command).toEqual([200, expect.anything()])
    else {
      expect([answer.status, answer.headers.get('content-type')], command).toEqual([200, 'text/event-stream'])
      stop.abort()
    }
    // What follows acts on an alarm of the rules that were just put.
    if (init.method === 'PUT') await live.publish('press-4', 'temperature', 90)
  }
})

it('docs/http-api.md names only codes that the gateway has', async () => {
  const text = await readFile(PAGE, 'utf8')
  const codes = new Set([...text.matchAll(/`([A-Z]+(?:_[A-Z]+)+)`/g)].map(([, code]) => code ?? ''))
  const places = [
    'api/alarms',
    'api/body',
    'api/events',
    'failover/failover',
    'handover',
    'observe/health',
    'api/readings',
    'api/rules',
    'api/server',
    'alarms/desk',
    'rules/parse',
    'outbox/outbox',
    'outbox/group-commit',
  ]
  const sources = await Promise.all(
    places.map((place) => readFile(resolve(import.meta.dirname, `../../gateway/${place}.ts`), 'utf8')),
  )
  expect(codes.size).toBeGreaterThan(10)
  for (const code of codes)
    expect(
      sources.some((source) => source.includes(`'${code}'`)),
      code,
    ).toBe(true)
})
