import { readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import mqtt from 'mqtt'
import { describe, expect, it, onTestFinished } from 'vitest'
import { freePorts } from '../../simulators/central/index.ts'
import type { Site } from '../../simulators/site/index.ts'
import { systemRandom } from '../../sync/runtime/index.ts'
import { input, logger, node, tab, threshold } from '../flows/support/nodes.ts'
import { acknowledgedMore, bufferedAtLeast, expectNothingWrong, onSite } from '../support/site.ts'
import { eventsOf } from './support/events.ts'

interface Line {
  msg: string
  part?: string
  password?: string
}

/** What the gateway's log holds of its flows. */
const lines = (site: Site): Line[] =>
  site.gateway.log.map((line) => JSON.parse(line) as Line).filter(({ part }) => part === 'flows')

/** The administrator of the flows, who deploys what a test wants. */
async function administrator(site: Site, url: string): Promise<(flows: readonly object[]) => Promise<void>> {
  const find = (): string | undefined => lines(site).find(({ password }) => password !== undefined)?.password
  await expect.poll(find, { timeout: 20_000 }).toBeDefined()
  const login = { client_id: 'node-red-admin', grant_type: 'password', scope: '*', username: 'admin', password: find() }
  const json = { 'content-type': 'application/json' }
  let token = ''
  const logIn = async (): Promise<string> => {
    const answer = await fetch(`${url}/auth/token`, { method: 'POST', headers: json, body: JSON.stringify(login) })
    token = ((await answer.json()) as { access_token?: string }).access_token ?? ''
    return token
  }
  await expect.poll(() => logIn().catch(() => ''), { timeout: 30_000 }).not.toBe('')
  return async (flows) => {
    const answer = await fetch(`${url}/flows`, {
      method: 'POST',
      headers: { ...json, authorization: `Bearer ${token}` },
      body: JSON.stringify(flows),
    })
    expect(answer.ok).toBe(true)
  }
}

/** The process of Node-RED: the one that works in this folder (it gives itself another name). */
function nodeRedOf(dataDir: string): number | null {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
    try {
      if (readlinkSync(`/proc/${pid}/cwd`) === join(dataDir, 'flows')) return Number(pid)
    } catch {
      // It ended meanwhile, or is none of ours.
    }
  return null
}

describe('Node-RED beside a gateway', () => {
  it('draws rules that hold without it, and never touches the readings, whatever becomes of it', async () => {
    const [port = 0] = await freePorts(1, systemRandom)
    await onSite(
      { devices: 20, rate: 20, connections: 5, config: { flows: { enabled: true, port } } },
      async (site) => {
        const url = `http://127.0.0.1:${port}`
        const deploy = await administrator(site, url)
        const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${site.addresses.mqttPort}`, { clientId: 'boiler' })
        onTestFinished(() => client.endAsync(true))
        const publish = (value: number): Promise<unknown> =>
          client.publishAsync('sensors/boiler/level', String(value), { qos: 1 })
        const heard = (text: string) =>
          expect
            .poll(
              () =>
                lines(site)
                  .map(({ msg }) => msg)
                  .join('\n'),
              { timeout: 30_000 },
            )
            .toContain(text)

        // Drawn, deployed, raised: the event comes out of the node, and is in the stream.
        await deploy([tab(), threshold('full', { device: 'boiler', metric: 'level' }, [['l'], [], []]), logger('l')])
        await publish(20)
        await expect
          .poll(
            async () => {
              await publish(90)
              await publish(20)
              return await eventsOf(site, 'boiler')
            },
            { timeout: 20_000 },
          )
          .toContain('full raised')
        await heard('"topic":"boiler/full"')

        // Killed, and the network cut: the rule holds, the alarm waits on disk, and is in the stream when the link is back.
        const before = (await eventsOf(site, 'boiler')).length
        const killed = nodeRedOf(site.addresses.dataDir)
        expect(killed).not.toBeNull()
        process.kill(killed ?? 0, 'SIGKILL')
        await site.cutLink()
        await publish(95)
        await acknowledgedMore(site, 200)
        await bufferedAtLeast(site, 100)
        await site.healLink()
        await expect.poll(async () => (await eventsOf(site, 'boiler')).slice(before)).toEqual(['full raised'])
        // Node-RED is there again, and is told of what it has missed.
        await heard('"value":95')

        // A flow that never ends, and one that cannot even start: readings go on.
        const loop = { func: "node.on('input', () => {}); setTimeout(() => { while (true); }, 0)", libs: [] }
        await deploy([tab(), ...input('loop', ['f']), node('f', 'function', [[]], loop)])
        await expect
          .poll(
            () =>
              fetch(`${url}/in/loop?m={}`, { signal: AbortSignal.timeout(1000) }).then(
                ({ ok }) => ok,
                () => false,
              ),
            {
              timeout: 20_000,
            },
          )
          .toBe(true)
        await acknowledgedMore(site, 500)
        const deployAgain = await administrator(site, url)
        await deployAgain([tab(), node('x', 'nobody-knows-this-node', [[]])])
        await acknowledgedMore(site, 500)
        await expectNothingWrong(site)
      },
    )
  }, 120_000)
})
