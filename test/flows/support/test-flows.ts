import { join } from 'node:path'
import { expect, vi } from 'vitest'
import type { Flows, FlowsOptions, startFlows as StartFlows } from '../../../flows/index.ts'
import { freePorts } from '../../../simulators/central/index.ts'
import { systemClock, systemRandom } from '../../../sync/runtime/index.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { TestGateway } from './test-gateway.ts'

/** Node-RED runs the compiled nodes, so its supervisor is the compiled one too. */
const COMPILED = new URL('../../../dist/flows/index.js', import.meta.url).href

const WAIT = { timeout: 8000, interval: 10 }

/** Waits until something is so: Node-RED takes its time on a busy machine. */
export const soon: typeof expect.poll = (look, options) => expect.poll(look, { ...WAIT, ...options })

export interface TestFlows {
  flows: Flows
  gateway: TestGateway
  userDir: string
  password: string
  log: string[]
  /** Asks Node-RED's admin API as the administrator. */
  admin(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>
  /** Deploys these flows in place of all others, and waits until Node-RED has taken them. */
  deploy(nodes: readonly Record<string, unknown>[], type?: string): Promise<void>
  /** What a debug node has said, or any other line of the log. */
  logged(text: string | RegExp): Promise<string>
  stop(): Promise<void>
}

/** Node-RED as a real process beside a made-up gateway. */
export async function startTestFlows(
  options: Partial<FlowsOptions> & { gatewayUp?: boolean } = {},
): Promise<TestFlows> {
  const { startFlows } = (await import(COMPILED)) as { startFlows: typeof StartFlows }
  const { path: dir, remove } = await makeTempDir()
  const gateway = new TestGateway(join(dir, 'api.json'))
  if (options.gatewayUp !== false) await gateway.start()
  const [port = 0] = await freePorts(1, systemRandom)
  const log: string[] = []
  let password = ''
  const userDir = join(dir, 'flows')
  const flows = await startFlows({
    userDir,
    apiFile: gateway.apiFile,
    port,
    log: ({ level, text }) => void log.push(`${level} ${text}`),
    onPassword: (login) => {
      password = login.password
    },
    clock: systemClock,
    random: systemRandom,
    example: null,
    ...options,
    settings: { probeEvery: 100, probeWithin: 2500, backoff: { min: 50, max: 100 }, ...options.settings },
  })
  const up = (): void => {
    if (flows.status().process !== 'up') throw new Error(`Node-RED is not up:\n${log.slice(-20).join('\n')}`)
  }
  await vi.waitFor(up, { timeout: 20_000, interval: 20 })
  const token = await login(flows.url, password)
  const admin: TestFlows['admin'] = (method, path, body, headers = {}) =>
    fetch(`${flows.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  return {
    flows,
    gateway,
    userDir,
    password,
    log,
    admin,
    async deploy(nodes, type = 'full') {
      const starts = (): number => log.filter((line) => line === 'info Started flows').length
      const before = starts()
      const answer = await admin('POST', '/flows', nodes, { 'Node-RED-Deployment-Type': type })
      expect(answer.status).toBe(204)
      // The answer comes before the flows run.
      await vi.waitFor(() => expect(starts()).toBeGreaterThan(before), WAIT)
    },
    async logged(text) {
      const find = (line: string): boolean => (typeof text === 'string' ? line.includes(text) : text.test(line))
      return await vi.waitFor(() => {
        const line = log.find(find)
        if (line === undefined)
          throw new Error(`expected ${text} in the log, which ends with\n${log.slice(-20).join('\n')}`)
        return line
      }, WAIT)
    },
    async stop() {
      await flows.stop()
      await gateway.stop()
      await remove()
    },
  }
}

async function login(url: string, password: string): Promise<string> {
  const answer = await fetch(`${url}/auth/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      client_id: 'node-red-admin',
      grant_type: 'password',
      scope: '*',
      username: 'admin',
      password,
    }),
  })
  const { access_token } = (await answer.json()) as { access_token: string }
  return access_token
}
