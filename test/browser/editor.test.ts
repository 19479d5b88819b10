import { mkdir } from 'node:fs/promises'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { soon, startTestFlows, type TestFlows } from '../flows/support/test-flows.ts'
import { ARTEFACTS, draw, logIn, screenshot } from './support/editor.ts'
import { findChromium } from './support/find-chromium.ts'

let t: TestFlows
let browser: Browser
let page: Page

beforeAll(async () => {
  await mkdir(ARTEFACTS, { recursive: true })
  // Containers have no user namespaces for Chromium's sandbox, and it sees nothing but our own editor.
  browser = await chromium.launch({ executablePath: await findChromium(), args: ['--no-sandbox', '--disable-gpu'] })
  t = await startTestFlows()
  page = await browser.newPage({ viewport: { width: 1400, height: 900 } })
  page.setDefaultTimeout(10_000)
})

afterAll(async () => {
  await browser?.close()
  await t?.stop()
})

afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') await screenshot(page, `failed-${task.name.slice(0, 10)}`)
})

test('draw a threshold node, deploy, and see the event come out', async () => {
  await logIn(page, t.flows.url, t.password)
  await draw(page, 'tidegate-threshold', 200, 150)
  await page.locator('.red-ui-flow-node-group').first().dblclick()
  await page.fill('#node-input-name', 'too-hot')
  await page.fill('#node-input-device', 'boiler-*')
  await page.fill('#node-input-metric', 'temperature')
  await page.fill('#node-input-raise', 'eighty')
  await page.press('#node-input-raise', 'Tab')
  await page.waitForSelector('#node-input-raise.input-error')
  await page.fill('#node-input-raise', '80')
  await page.press('#node-input-raise', 'Tab')
  await page.waitForSelector('#node-input-raise:not(.input-error)')
  await page.fill('#node-input-clear', '78')
  await screenshot(page, 'threshold-form')
  await page.click('#node-dialog-ok')

  await draw(page, 'debug', 600, 150)
  const outputs = page.locator('.red-ui-flow-port-output .red-ui-flow-port')
  const input = page.locator('.red-ui-flow-port-input .red-ui-flow-port')
  await outputs.first().hover()
  await page.mouse.down()
  await input.last().hover()
  await page.mouse.up()

  await page.click('#red-ui-header-button-deploy')
  await soon(() => t.gateway.puts.at(-1)?.rules).toEqual([
    { id: 'too-hot', match: { device: 'boiler-*', metric: 'temperature' }, above: { raise: 80, clear: 78 } },
  ])
  await page.waitForSelector('text=normal')
  await soon(() => t.gateway.listening).toBe(1)

  await page.click('#red-ui-sidebar-tab-link-debug, [title="Debug messages"]', { timeout: 3000 }).catch(() => undefined)
  await page.evaluate("RED.sidebar.show('debug')")
  t.gateway.emit('boiler-7', 'too-hot', 'raised', 'hi')
  await page.waitForSelector('.red-ui-debug-msg:has-text("boiler-7/too-hot")')
  await page.waitForSelector('text=1 raised')
  await screenshot(page, 'threshold-event')
})

test('the import menu has the examples, and one of them works when it is deployed', async () => {
  await page.evaluate("RED.actions.invoke('core:show-examples-import-dialog')")
  await page.locator('.red-ui-treeList-label:visible', { hasText: 'tidegate' }).first().click()
  const names = page.locator('.red-ui-treeList-label:visible')
  await soon(() => names.allInnerTexts()).toEqual(expect.arrayContaining(['missing-sensor', 'webhook-to-cms']))
  await screenshot(page, 'examples')
  await names.filter({ hasText: 'missing-sensor' }).click()
  await page.click('#red-ui-clipboard-dialog-ok')
  // What is imported hangs on the pointer until it is put down.
  await page.waitForSelector('#red-ui-clipboard-dialog', { state: 'hidden' })
  await page.mouse.move(650, 450)
  await page.mouse.move(700, 500, { steps: 4 })
  await page.mouse.click(700, 500)
  await soon(() => page.evaluate<number>("RED.nodes.filterNodes({ type: 'tidegate-threshold' }).length")).toBe(2)
  await page.click('#red-ui-header-button-deploy:not(.disabled)')
  await soon(() => t.gateway.puts.at(-1)?.rules.map(({ id }) => id)).toContain('sensor-silent')
})
