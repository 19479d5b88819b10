import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parse } from 'yaml'
import { parseConfig } from '../../gateway/config/index.ts'
import { runGateway } from '../support/running-gateway.ts'
import { tempDir } from '../support/temp-dir.ts'

const path = (name: string): string => fileURLToPath(new URL(`../../deploy/${name}`, import.meta.url))
const text = (name: string): Promise<string> => readFile(path(name), 'utf8')
const CHECK = path('keepalived/check-tidegate')

/** The exit code of a program. */
const exitCode = (program: string, ...args: string[]): Promise<number> =>
  new Promise((resolve) => {
    const child = execFile(program, args)
    child.once('error', () => resolve(127))
    child.once('exit', (code) => resolve(code ?? -1))
  })

const hasCurl = (await exitCode('curl', '--version')) === 0

/** A data folder whose API answers so. */
async function fakeApi(status: number, asked: (authorization: string | undefined, url: string) => void = () => {}) {
  const server = createServer((request, response) => {
    asked(request.headers.authorization, request.url ?? '')
    response.writeHead(status).end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const dir = await tempDir()
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  await writeFile(join(dir, 'api.json'), `${JSON.stringify({ url, token: 'to-ken_1' })}\n`)
  return { dir, server }
}

describe('the check for keepalived', () => {
  it('is a script that the shell understands', async () => {
    expect(await exitCode('sh', '-n', CHECK)).toBe(0)
  })

  it.runIf(hasCurl)('says whether devices are to come, and shows the token', async () => {
    const seen: unknown[] = []
    const well = await fakeApi(200, (...request) => seen.push(request))
    expect(await exitCode(CHECK, well.dir)).toBe(0)
    expect(seen).toEqual([['Bearer to-ken_1', '/health']])
    expect(await exitCode(CHECK, (await fakeApi(503)).dir)).not.toBe(0)
    expect(await exitCode(CHECK, await tempDir())).toBe(1)
    well.server.close()
    expect(await exitCode(CHECK, well.dir)).not.toBe(0)
  })

  it.runIf(hasCurl)('takes a real gateway for well, although it cannot reach the centre', async () => {
    const { dir } = await runGateway()
    expect(await exitCode(CHECK, dir)).toBe(0)
  })

  it('is what the configuration of keepalived calls', async () => {
    const conf = await text('keepalived/keepalived.conf')
    expect(/script "\/opt\/tidegate\/deploy\/(\S+) /.exec(conf)?.[1]).toBe('keepalived/check-tidegate')
    expect(conf.replace(/#.*/g, '').match(/\{/g)?.length).toBe(conf.replace(/#.*/g, '').match(/\}/g)?.length)
  })
})

describe('two machines', () => {
  it("are each other's peers, and keep the same promise", async () => {
    const configs = await Promise.all([1, 2].map(async (n) => parseConfig(await text(`pair/gw-${n}.yaml`), {})))
    for (const [i, config] of configs.entries()) {
      const other = configs[1 - i]
      expect(config.failover.peers).toEqual([{ gateway: other?.gateway, url: `mqtt://10.0.0.${2 - i}:1883` }])
      expect(config.failover.durability).toBe('replicated')
      expect(config.site).toBe(other?.site)
    }
  })
})

describe('the compose file for two', () => {
  interface Service {
    environment: Record<string, string>
    volumes?: string[]
  }

  it('gives two gateways that reach each other', async () => {
    const file = (await text('compose.pair.yaml')).replaceAll(/\$\{(\w+):\?[^}]*\}/g, 'long-enough-secret')
    const { services } = parse(file) as { services: Record<string, Service> }
    const yaml = await text('tidegate.yaml')
    const [first, second] = ['gateway', 'gateway-2'].map((name) => parseConfig(yaml, services[name]?.environment ?? {}))
    expect([first?.gateway, second?.gateway]).toEqual(['gw-1', 'gw-2'])
    expect(first?.failover.peers).toEqual([{ gateway: 'gw-2', url: 'mqtt://gateway-2:1883' }])
    expect(second?.failover.peers).toEqual([{ gateway: 'gw-1', url: 'mqtt://gateway:1883' }])
    expect([first?.failover.durability, second?.failover.durability]).toEqual(['replicated', 'replicated'])
    expect(second?.central).toMatchObject({ servers: ['nats://nats:4222'], provision: false })
    expect(services['gateway-2']?.volumes).toContain('gateway-2:/var/lib/tidegate')
  })
})
