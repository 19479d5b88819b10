import { readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { connectAsync } from 'mqtt'
import { expect, it, onTestFinished } from 'vitest'
import { examplesOf } from '../../docs/pictures/examples.ts'
import { readApiFile } from '../../gateway/api/index.ts'
import { parseConfig } from '../../gateway/config/index.ts'
import { startGateway } from '../../gateway/main.ts'
import { createLog } from '../../gateway/observe/index.ts'
import { SimulatedCentre } from '../../sync/link/index.ts'
import { seededRandom, systemClock } from '../../sync/runtime/index.ts'
import { tempDir } from '../support/temp-dir.ts'

const page = await readFile(resolve(import.meta.dirname, '../../docs/rules.md'), 'utf8')
const COMMANDS = [...page.matchAll(/^curl .*$/gm)].map(([line]) => line)

/** A command line of curl as a request, as far as the page uses it. */
function requestOf(line: string, variables: Record<string, string>): { url: string; init: RequestInit } {
  const words = [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)]
    .map(([, one, other, plain]) => one ?? other ?? plain ?? '')
    .map((word) => word.replace(/\$([A-Z]+)/g, (_, name: string) => variables[name] ?? ''))
  const headers = new Headers()
  const init: RequestInit = { headers }
  let url = ''
  for (let i = 1; i < words.length; i++) {
    const word = words[i] ?? ''
    if (word === '--header') {
      const [name = '', value = ''] = (words[++i] ?? '').split(': ')
      headers.set(name, value)
    } else if (word === '--request') init.method = words[++i] ?? ''
    else if (word === '--json') {
      init.body = words[++i] ?? ''
      init.method ??= 'POST'
      headers.set('content-type', 'application/json')
    } else if (word !== '--no-buffer') url = word
  }
  return { url, init }
}

it('what docs/rules.md says to ask a gateway is answered as it says', async () => {
  const dir = await tempDir()
  const rules = examplesOf(page)[0]?.yaml ?? ''
  await writeFile(join(dir, 'rules.yaml'), rules)
  const config = parseConfig(
    JSON.stringify({
      site: 'plant-1',
      gateway: 'gw-1',
      dataDir: join(dir, 'data'),
      mqtt: { listeners: [{ kind: 'tcp', port: 0 }] },
      ingest: { topics: [{ template: 'plant/{line}/{device}/{metric}' }] },
      rules: { file: join(dir, 'rules.yaml') },
    }),
    {},
  )
  const dialer = new SimulatedCentre(systemClock, seededRandom(1))
  dialer.cut()
  const gateway = await startGateway(config, { dialer, log: createLog('silent', {}) })
  onTestFinished(() => gateway.stop())
  const device = await connectAsync(gateway.listeners[0] ?? '')
  onTestFinished(() => device.endAsync())
  await device.publishAsync('plant/a/press-4/temperature', '81.2', { qos: 1 })

  const { url: URL, token: TOKEN } = await readApiFile(config.dataDir)
  const ask = async (part: string): Promise<Response> => {
    const line = COMMANDS.find((command) => command.includes(part)) ?? ''
    const { url, init } = requestOf(line, { URL, TOKEN })
    if (init.body === '@rules.json')
      init.body = JSON.stringify({ rules: [{ id: 'cold', match: { metric: 'temperature' }, below: 5 }] })
    const answer = await fetch(url, init)
    expect(answer.status, line).toBe(200)
    return answer
  }
  const asked = ['/rules/explain', '/alarms?', '/alarms/act', '/events', '/rules?']
  expect(COMMANDS.filter((line) => !asked.some((part) => line.includes(part)))).toEqual([])

  expect(await (await ask('/rules/explain')).json()).toMatchObject([{ id: 'too-hot', from: { above: 'rule' } }])
  expect(await (await ask('/alarms?')).json()).toMatchObject([{ rule: 'too-hot', state: 'unacknowledged' }])
  const live = await ask('/events')
  expect(await (await ask('/alarms/act')).json()).toMatchObject({ type: 'tidegate.alarm.shelved', data: { by: 'ann' } })
  const reader = live.body?.getReader()
  let heard = ''
  while (!heard.includes('tidegate.alarm.')) heard += new TextDecoder().decode((await reader?.read())?.value)
  expect(heard).toContain('tidegate.alarm.shelved')
  await reader?.cancel()
  expect(await (await ask('/rules?')).json()).toMatchObject({ changed: true })
})
