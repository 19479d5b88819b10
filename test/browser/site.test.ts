import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { connect } from '@nats-io/transport-node'
import mqtt from 'mqtt'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, test } from 'vitest'
import { endWithThisProcess } from '../../simulators/central/index.ts'
import { natsCentral } from '../../simulators/ledger/index.ts'
import { STREAMS, type ThresholdEvent } from '../../sync/contract/index.ts'
import { soon } from '../flows/support/test-flows.ts'
import { ENTRY } from '../support/site.ts'
import { ARTEFACTS, draw, logIn, screenshot } from './support/editor.ts'
import { findChromium } from './support/find-chromium.ts'

/** What `npm start` runs, and what it has said so far. */
let site: ChildProcess
let said = ''
let browser: Browser
let page: Page

const find = async (pattern: RegExp): Promise<string> => {
  await soon(() => said, { timeout: 40_000 }).toMatch(pattern)
  return pattern.exec(said)?.[1] ?? ''
}

beforeAll(async () => {
  await mkdir(ARTEFACTS, { recursive: true })
  site = spawn(process.execPath, [ENTRY, 'demo', '--devices', '3'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
  endWithThisProcess(site.pid ?? 0)
  site.stdout?.on('data', (chunk) => {
    said += chunk
  })
  browser = await chromium.launch({ executablePath: await findChromium(), args: ['--no-sandbox', '--disable-gpu'] })
  page = await browser.newPage({ viewport: { width: 1400, height: 900 } })
  page.setDefaultTimeout(15_000)
})

afterAll(async () => {
  await browser?.close()
  const ended = once(site, 'exit')
  site.kill('SIGINT')
  await ended
})

test('as a newcomer: start, draw a threshold, deploy, heat a sensor: the alarm is in the node, in the terminal, in the stream', async () => {
  const url = await find(/Draw rules (\S+),/)
  const password = await find(/password (\S+)/)
  const port = await find(/mosquitto_pub -p (\d+)/)
  const central = await find(/Subscribe\s+(nats:\S+),/)

  await logIn(page, url, password)
  await page.click('#red-ui-workspace .red-ui-tab-button a')
  await draw(page, 'tidegate-threshold', 200, 150)
  await page.evaluate("RED.actions.invoke('core:edit-selected-node')")
  await page.fill('#node-input-name', 'kiln-too-hot')
  await page.fill('#node-input-device', 'kiln')
  await page.fill('#node-input-metric', 'temperature')
  await page.fill('#node-input-raise', '900')
  await page.fill('#node-input-clear', '850')
  await page.click('#node-dialog-ok')
  await page.click('#red-ui-header-button-deploy')
  await page.waitForSelector('text=normal')

  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`)
  for (const value of [700, 950]) await client.publishAsync('sensors/kiln/temperature', String(value), { qos: 1 })
  await client.endAsync()

  await page.waitForSelector('text=1 raised')
  await screenshot(page, 'site-alarm')
  await find(/(kiln {2}kiln-too-hot raised)/)
  const connection = await connect({ servers: central })
  const events = async (): Promise<string[]> => {
    const found: string[] = []
    for await (const { body } of natsCentral(connection).read(STREAMS.events, 1)) {
      const { device, rule, type } = JSON.parse(Buffer.from(body).toString('utf8')) as ThresholdEvent
      if (device === 'kiln' && rule === 'kiln-too-hot') found.push(type)
    }
    return found
  }
  await soon(events).toEqual(['tidegate.alarm.raised'])
  await connection.close()
})
