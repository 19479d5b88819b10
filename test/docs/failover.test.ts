import { spawn } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { FAILOVER_SEQUENCES } from '../../docs/pictures/failover.ts'
import { sequencePicture } from '../../docs/pictures/sequence.ts'
import { parseConfig } from '../../gateway/config/index.ts'
import { runGateway } from '../support/running-gateway.ts'

const DOCS = resolve(import.meta.dirname, '../../docs')
const EXAMPLE = join(DOCS, 'examples/device.ts')
const page = await readFile(join(DOCS, 'failover.md'), 'utf8')

describe('the pictures of docs/failover.md (else: npm run docs)', () => {
  it.each(Object.entries(FAILOVER_SEQUENCES))('%s is what the sequence says, and shown', async (name, sequence) => {
    const svg = await readFile(join(DOCS, `pictures/failover/${name}.svg`), 'utf8')
    expect(svg).toBe(sequencePicture(sequence))
    expect(page).toContain(`(pictures/failover/${name}.svg)`)
  })

  it('are all there are', async () => {
    const names = Object.keys(FAILOVER_SEQUENCES).map((name) => `${name}.svg`)
    expect((await readdir(join(DOCS, 'pictures/failover'))).sort()).toEqual(names.sort())
  })

  it('a sequence names only who takes part in it', () => {
    expect(() => sequencePicture({ title: '', who: ['a'], steps: ['a > b: hello'] })).toThrow("nobody is called 'b'")
  })
})

describe('docs/failover.md', () => {
  it('shows a configuration that is valid', () => {
    const [, yaml = ''] = /^```yaml\n(.*?)^```/ms.exec(page) ?? []
    expect(parseConfig(`site: plant-1\ngateway: gw-1\n${yaml}`, {}).failover.peers).toHaveLength(1)
  })

  it('shows the device with Paho that test/e2e/paho.test.ts runs', async () => {
    expect(page).toContain(await readFile(join(DOCS, 'examples/device.py'), 'utf8'))
  })

  it('shows a device that goes to the next gateway', async () => {
    expect(page).toContain(await readFile(EXAMPLE, 'utf8'))
    const [one, other] = [await runGateway(), await runGateway()]
    const addresses = [one, other].map(({ gateway }) => (gateway.listeners[0] ?? '').replace('mqtt://', ''))
    const env = { ...process.env, GATEWAYS: addresses.join(',') }
    const child = spawn(process.execPath, ['--import', 'tsx', EXAMPLE], { env, stdio: 'ignore' })
    onTestFinished(() => void child.kill('SIGKILL'))
    const heard = async ({ gateway }: typeof one): Promise<number> =>
      (await gateway.status()).outbox.lanes.readings.accepted
    await vi.waitFor(async () => expect(await heard(one)).toBeGreaterThan(0), { timeout: 15_000, interval: 50 })
    await one.stop()
    await vi.waitFor(async () => expect(await heard(other)).toBeGreaterThan(0), { timeout: 15_000, interval: 50 })
  })
})
