import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'

/** Where screenshots are kept; outside of the project. */
export const ARTEFACTS = process.env['TIDEGATE_ARTEFACTS'] || join(tmpdir(), 'tidegate-artefacts')

export const screenshot = (page: Page, name: string): Promise<unknown> =>
  page.screenshot({ path: join(ARTEFACTS, `${name}.png`) })

/** Opens the editor as its administrator. */
export async function logIn(page: Page, url: string, password: string): Promise<void> {
  await page.goto(url)
  await page.fill('#node-dialog-login-username', 'admin')
  await page.fill('#node-dialog-login-password', password)
  await page.click('#node-dialog-login-submit')
  await page.waitForSelector('#red-ui-palette-node-tidegate-threshold, [data-palette-type="tidegate-threshold"]')
}

/** Drags a node from the palette to a place on the sheet. */
export async function draw(page: Page, type: string, x: number, y: number): Promise<void> {
  const from = page.locator(`[data-palette-type="${type}"]`)
  await from.scrollIntoViewIfNeeded()
  await from.hover()
  await page.mouse.down()
  const sheet = await page.locator('#red-ui-workspace-chart').boundingBox()
  await page.mouse.move((sheet?.x ?? 0) + x, (sheet?.y ?? 0) + y, { steps: 8 })
  await page.mouse.up()
}
