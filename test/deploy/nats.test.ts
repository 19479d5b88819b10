import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { connect } from '@nats-io/transport-node'
import { describe, expect, it, onTestFinished } from 'vitest'
import { findNatsServer, startCentral } from '../../simulators/central/index.ts'
import { run } from '../../simulators/central/process.ts'
import { type CentralSession, natsDialer } from '../../sync/link/index.ts'
import { streamPlans } from '../../sync/provision/index.ts'
import { tempDir } from '../support/temp-dir.ts'

const FOLDER = fileURLToPath(new URL('../../deploy/nats/', import.meta.url))
const PASSWORDS = { CENTRAL_ADMIN_PASSWORD: 'adminsecret', CENTRAL_SITE_PASSWORD: 'sitesecret' }
const TIMEOUT = 5000

describe('the configuration of the centre', () => {
  it.each([
    ['single.conf', {}],
    ['cluster.conf', { CENTRAL_NODE: 'nats-2' }],
  ])('%s is valid', async (file, variables) => {
    const { path } = await findNatsServer({ env: process.env })
    const env = { ...process.env, ...PASSWORDS, ...variables }
    const checked = await run(path, ['--config', FOLDER + file, '-t'], { env, timeout: 10_000 })
    expect(checked.output).toMatch(/is valid/)
    expect(checked.exitCode).toBe(0)
  })

  it.each(['single.conf', 'cluster.conf'])('%s has every acknowledged message on disk', async (file) => {
    expect(await readFile(FOLDER + file, 'utf8')).toMatch(/^ {2}sync_interval: always$/m)
  })
})

/** A server with the rights of `permissions.conf`, the streams made by the administrator, and a session of each kind. */
async function setUp(): Promise<{ url: string; gateway: CentralSession }> {
  let extraConfig = await readFile(`${FOLDER}permissions.conf`, 'utf8')
  for (const [name, value] of Object.entries(PASSWORDS)) extraConfig = extraConfig.replace(`$${name}`, value)
  const server = await startCentral({ dir: await tempDir(), extraConfig })
  onTestFinished(() => server.kill())
  const dial = async (user: string, password: string): Promise<CentralSession> => {
    const settings = { servers: [server.url], name: user, dialTimeout: TIMEOUT, pingInterval: 10_000, user, password }
    const session = await natsDialer(settings).dial(new AbortController().signal)
    onTestFinished(() => session.close())
    return session
  }
  const admin = await dial('admin', PASSWORDS.CENTRAL_ADMIN_PASSWORD)
  for (const plan of streamPlans({ replicas: 1, storage: 'file', maxBytes: -1, maxAge: 0 })) {
    await admin.provision(plan, TIMEOUT)
  }
  return { url: server.url, gateway: await dial('plant-1', PASSWORDS.CENTRAL_SITE_PASSWORD) }
}

const message = (stream: string, subject: string) => ({ stream, subject, headers: [], body: Buffer.from('1') })

describe('the rights of a gateway', () => {
  it('are enough for everything that a gateway does', async () => {
    const { gateway } = await setUp()
    for (const [stream, subject] of [
      ['READINGS', 'readings.plant-1.gw-1'],
      ['EVENTS', 'events.plant-1.press-7.too-hot'],
      ['DEADLETTERS', 'deadletters.plant-1.gw-1'],
    ] as const) {
      expect(await gateway.head(stream, subject, TIMEOUT)).toBeNull()
      const sequence = await gateway.append(message(stream, subject), 0, TIMEOUT)
      expect(await gateway.append(message(stream, subject), sequence, TIMEOUT)).toBe(sequence + 1)
      expect((await gateway.head(stream, subject, TIMEOUT))?.sequence).toBe(sequence + 1)
      expect((await gateway.nextFrom(stream, subject, sequence, TIMEOUT))?.sequence).toBe(sequence)
      expect(await gateway.facts(stream, TIMEOUT)).toMatchObject({ lastSequence: sequence + 1 })
    }
    for (const subject of ['latest.plant-1.gw-1', 'latest.plant-1.gw-1.0']) {
      await gateway.append(message('LATEST', subject), null, TIMEOUT)
    }
    expect(await gateway.facts('LATEST', TIMEOUT)).toMatchObject({ lastSequence: 2 })
  })

  it.each([
    ['readings of another site', 'readings.plant-2.gw-1'],
    ['events of another site', 'events.plant-2.press-7.too-hot'],
    ['the newest message of another site', '$JS.API.DIRECT.GET.READINGS.readings.plant-2.gw-1'],
    ['deleting a stream', '$JS.API.STREAM.DELETE.READINGS'],
    ['emptying a stream', '$JS.API.STREAM.PURGE.READINGS'],
    ['changing a stream', '$JS.API.STREAM.UPDATE.READINGS'],
    ['consuming a stream', '$JS.API.CONSUMER.CREATE.READINGS'],
  ])('do not reach %s', async (_, subject) => {
    const { url } = await setUp()
    const connection = await connect({ servers: url, user: 'plant-1', pass: PASSWORDS.CENTRAL_SITE_PASSWORD })
    onTestFinished(() => connection.close())
    await expect(connection.request(subject, '', { timeout: TIMEOUT })).rejects.toThrow(/permissions violation/i)
  })

  it('do not let it listen to others', async () => {
    const { url } = await setUp()
    const connection = await connect({ servers: url, user: 'plant-1', pass: PASSWORDS.CENTRAL_SITE_PASSWORD })
    onTestFinished(() => connection.close())
    const refused = new Promise((resolve) => connection.subscribe('readings.>', { callback: resolve }))
    expect(String(await refused)).toMatch(/permissions violation/i)
  })
})
