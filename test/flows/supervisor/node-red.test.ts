import { readdir, readFile, stat } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { input, logger, node, tab, threshold } from '../support/nodes.ts'
import { soon, startTestFlows, type TestFlows } from '../support/test-flows.ts'

let t: TestFlows

beforeAll(async () => {
  process.env['SECRET_OF_THE_GATEWAY'] = 'hunter2'
  t = await startTestFlows({ example: 'temperature-ladder.json' })
})
afterAll(() => t.stop())

const rest = (): unknown => t.gateway.puts.at(-1)?.rules.map(({ id }) => id)

describe('the first start', () => {
  test('opens an example that works', async () => {
    await soon(() => t.flows.status()).toMatchObject({ process: 'up', flows: 'started', reason: null, failures: 0 })
    await soon(rest).toEqual(['boiler-temperature'])
    await soon(() => t.gateway.published.map(({ topic }) => topic)).toContain('sensors/boiler-1/temperature')
  })

  test('makes a password that is kept nowhere', async () => {
    expect(t.password).toMatch(/^[0-9a-f]{24}$/)
    for (const file of ['tidegate-secrets.json', 'settings.cjs']) {
      const path = join(t.userDir, file)
      expect(await readFile(path, 'utf8')).not.toContain(t.password)
      expect((await stat(path)).mode & 0o077).toBe(0)
    }
  })
})

describe('locked down', () => {
  test('nothing is answered without the password but the page that asks for it', async () => {
    for (const path of ['/flows', '/nodes', '/settings', '/tidegate/state']) {
      expect((await fetch(`${t.flows.url}${path}`)).status, path).toBe(401)
    }
    const wrong = {
      client_id: 'node-red-admin',
      grant_type: 'password',
      scope: '*',
      username: 'admin',
      password: 'admin',
    }
    const answer = await fetch(`${t.flows.url}/auth/token`, { method: 'POST', body: new URLSearchParams(wrong) })
    expect(answer.status).toBe(403)
  })

  test('no node starts programs, opens raw sockets, or reads and writes files', async () => {
    const answer = await t.admin('GET', '/nodes', undefined, { accept: 'application/json' })
    const types = ((await answer.json()) as { types: string[] }[]).flatMap((set) => set.types)
    expect(types).toEqual(expect.arrayContaining(['function', 'http request', 'tidegate-threshold']))
    for (const type of ['exec', 'tcp in', 'tcp out', 'udp in', 'udp out', 'file', 'file in', 'watch']) {
      expect(types).not.toContain(type)
    }
  })

  test('no module can be installed', async () => {
    const answers = await Promise.all([
      t.admin('POST', '/nodes', { module: 'node-red-contrib-anything' }),
      t.admin('POST', '/NODES/', { module: 'node-red-contrib-anything' }),
      t.admin('PUT', '/nodes/node-red-contrib-tidegate', { enabled: false }),
      t.admin('DELETE', '/nodes/node-red-contrib-tidegate'),
    ])
    expect(answers.map(({ status }) => status)).toEqual([403, 403, 403, 403])
  })

  test('it listens on this machine only', async () => {
    const other = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .find(({ internal, family }) => !internal && family === 'IPv4')
    const url = t.flows.url.replace('127.0.0.1', other?.address ?? '127.0.0.2')
    await expect(fetch(url, { signal: AbortSignal.timeout(2000) })).rejects.toThrow()
  })

  test('flows see neither the secrets of the gateway nor the token of the supervisor', async () => {
    await t.deploy([
      tab(),
      node('i', 'inject', [['f']], { props: [], once: true, onceDelay: 0.01 }),
      node('f', 'function', [[]], {
        func: "node.warn('env ' + ['TIDEGATE_FLOWS_TOKEN', 'SECRET_OF_THE_GATEWAY'].map((name) => env.get(name) || 'none'))",
        libs: [],
      }),
    ])
    await t.logged('env none,none')
  })
})

/** Sends a message to a flow that may not live to answer. */
const poke = (id: string): Promise<unknown> =>
  fetch(`${t.flows.url}/in/${id}?m={}`, { signal: AbortSignal.timeout(500) }).catch(() => undefined)

const restarted = async (before: number): Promise<void> => {
  await soon(() => t.flows.status(), { timeout: 20_000 }).toMatchObject({ failures: before + 1, process: 'up' })
  await soon(() => t.flows.status().flows).toBe('started')
}

describe('whatever happens to Node-RED', () => {
  test('killed: it comes back, no rule is taken away, and no event is missed', async () => {
    await t.deploy([tab(), threshold('kept', {}, [[], [], ['k']]), logger('k')])
    await soon(rest).toEqual(['kept'])
    await soon(() => t.gateway.listening).toBe(1)
    t.gateway.emit('before', 'kept', 'raised', 'hi')
    await t.logged('k {"topic":"before/kept"')
    const file = async (): Promise<string> => {
      const names = await readdir(join(t.userDir, 'tidegate'))
      // Beside it may lie its successor, half written.
      const name = names.find((other) => other.endsWith('.json')) ?? ''
      return await readFile(join(t.userDir, 'tidegate', name), 'utf8')
    }
    await soon(file).toContain('"1"')
    const puts = t.gateway.puts.length
    const { failures, pid } = t.flows.status()
    process.kill(pid ?? 0, 'SIGKILL')
    await soon(() => t.gateway.listening).toBe(0)
    t.gateway.emit('meanwhile', 'kept', 'raised', 'hi')
    await restarted(failures)
    await t.logged('k {"topic":"meanwhile/kept"')
    expect(t.log.filter((line) => line.includes('k {"topic":"before/kept"'))).toHaveLength(1)
    expect(t.gateway.puts.slice(puts).map(({ rules }) => rules.length)).not.toContain(0)
  })

  test('an endless loop in a function: the function is ended, and the others run on', async () => {
    await t.deploy([
      tab(),
      ...input('loop', ['f']),
      node('f', 'function', [[]], { func: 'while (true);', libs: [] }),
      node('c', 'catch', [['l']], { scope: null }),
      logger('l'),
    ])
    const { failures } = t.flows.status()
    await poke('loop')
    await t.logged(/l .*Script execution timed out/)
    expect(t.flows.status().failures).toBe(failures)
  })

  test('an endless loop that nothing in there can end: it is killed and comes back', async () => {
    await t.deploy([
      tab(),
      ...input('hang', ['f']),
      node('f', 'function', [[]], { func: 'setTimeout(() => { while (true); }, 1)', libs: [] }),
    ])
    const { failures } = t.flows.status()
    await poke('hang')
    await restarted(failures)
    expect(t.flows.status().lastFailure).toContain('did not answer')
  })

  test('a rejection that nobody handles: it comes back', async () => {
    await t.deploy([
      tab(),
      ...input('throw', ['f']),
      node('f', 'function', [[]], { func: "Promise.reject(new Error('boom'))", libs: [] }),
    ])
    const { failures } = t.flows.status()
    await poke('throw')
    await restarted(failures)
    await t.logged('boom')
  })

  test('a flow with a node that does not exist: it is reported, and the rules stay as they are', async () => {
    await t.deploy([tab(), threshold('stays')])
    await soon(rest).toEqual(['stays'])
    const puts = t.gateway.puts.length
    await t.admin('POST', '/flows', [tab(), threshold('never'), node('x', 'no-such-node', [])])
    await soon(() => t.flows.status()).toMatchObject({
      process: 'up',
      flows: 'stopped',
      reason: 'the flows use nodes that are not installed: no-such-node',
    })
    expect(t.gateway.puts.length).toBe(puts)
    await t.deploy([tab(), threshold('mended')])
    await soon(rest).toEqual(['mended'])
    await soon(() => t.flows.status()).toMatchObject({ flows: 'started', reason: null })
  })

  test('stopped: everything has ended, and no rule is taken away', async () => {
    const { pid } = t.flows.status()
    const puts = t.gateway.puts.length
    await t.flows.stop()
    expect(t.flows.status().process).toBe('stopped')
    expect(() => process.kill(pid ?? 0, 0)).toThrow('ESRCH')
    expect(t.gateway.puts.length).toBe(puts)
  })
})

test('a flow that brings Node-RED down can be mended in safe mode', async () => {
  const safe = await startTestFlows({ example: 'missing-sensor.json', safe: true })
  try {
    await soon(() => safe.flows.status()).toMatchObject({ process: 'up', flows: 'stopped' })
    expect(safe.flows.status().reason).toContain('they start with the next deploy')
    expect(safe.gateway.puts).toEqual([])
    await safe.deploy([tab(), threshold('mended')])
    await soon(() => safe.gateway.puts.at(-1)?.rules.map(({ id }) => id)).toEqual(['mended'])
  } finally {
    await safe.stop()
  }
})
