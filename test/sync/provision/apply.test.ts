import type { StreamConfig } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { startCentral } from '../../../simulators/central/index.ts'
import { STREAMS } from '../../../sync/contract/index.ts'
import type { NatsSettings } from '../../../sync/link/index.ts'
import { applyStreams, type StreamSettings, streamPlans } from '../../../sync/provision/index.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { readings, TestCentre } from '../../support/test-centre.ts'

const SETTINGS: StreamSettings = { replicas: 1, storage: 'file', maxBytes: -1, maxAge: 0 }
const ALL = Object.values(STREAMS)

let centre: TestCentre

beforeAll(async () => {
  centre = await TestCentre.start({}, false)
})
afterAll(() => centre?.stop())
afterEach(async () => {
  for await (const name of centre.manager.streams.names()) await centre.manager.streams.delete(name)
})

const settingsOf = (url: string): NatsSettings => ({
  servers: [url],
  name: 'test',
  dialTimeout: 2_000,
  pingInterval: 10_000,
})

const apply = (settings: Partial<StreamSettings> = {}, dryRun = false) =>
  applyStreams(settingsOf(centre.server.url), streamPlans({ ...SETTINGS, ...settings }), {
    dryRun,
    signal: new AbortController().signal,
  })

const config = async (name: string): Promise<StreamConfig> => (await centre.manager.streams.info(name)).config

describe('streams that are not there', () => {
  it('are created as planned, and then nothing is left to do', async () => {
    expect(await apply()).toEqual(ALL.map((stream) => ({ stream, action: 'created', changes: [] })))
    expect(await apply()).toEqual(ALL.map((stream) => ({ stream, action: 'unchanged', changes: [] })))
    expect(await config(STREAMS.readings)).toMatchObject(
      streamPlans(SETTINGS).find(({ name }) => name === STREAMS.readings) ?? {},
    )
    expect(await config(STREAMS.latest)).toMatchObject({ max_msgs_per_subject: 1, discard: 'old', deny_delete: false })
  })

  it('are only spoken of in a dry run', async () => {
    expect((await apply({}, true)).map(({ action }) => action)).toEqual(ALL.map(() => 'created'))
    expect(await centre.manager.streams.names().next()).toEqual([])
  })

  it('with a short life have a dedupe window that fits into it', async () => {
    await apply({ maxAge: 60_000 })
    expect(await config(STREAMS.consumerDeadletters)).toMatchObject({ duplicate_window: 60e9, max_age: 60e9 })
  })
})

describe('streams that are there', () => {
  it('get what differs, keep what nobody speaks of, and keep their messages', async () => {
    await centre.manager.streams.add({
      name: STREAMS.readings,
      subjects: ['readings.*.*'],
      discard: 'old',
      metadata: { owner: 'plant 7' },
      max_age: 3_600e9,
    })
    await centre.publishReadings({ site: 's', from: 0 }, readings(0, 9))
    const wanted = { maxBytes: 1e9, maxAge: 7_200_000 }
    const dry = await apply(wanted, true)
    const [change, ...others] = await apply(wanted)
    expect(dry).toEqual([change, ...others])
    expect(change).toMatchObject({ stream: STREAMS.readings, action: 'updated' })
    expect(change?.changes).toEqual(
      expect.arrayContaining(['max_age: 3600s -> 7200s', 'max_bytes: unlimited -> 1000000000', 'discard: old -> new']),
    )
    const { config: now, state } = await centre.manager.streams.info(STREAMS.readings)
    expect(now).toMatchObject({ max_bytes: 1e9, discard: 'new', metadata: { owner: 'plant 7' }, deny_delete: true })
    expect(state.messages).toBe(1)
    expect((await apply(wanted)).every(({ action }) => action === 'unchanged')).toBe(true)
  })

  it('may get limits that nothing stored exceeds', async () => {
    await apply()
    await centre.publishReadings({ site: 's', from: 0 }, readings(0, 9))
    const [change] = await apply({ maxAge: 3_600_000, maxBytes: 1_000_000 })
    expect(change?.changes).toEqual(['max_age: none -> 3600s', 'max_bytes: unlimited -> 1000000'])
    expect((await centre.manager.streams.info(STREAMS.readings)).state.messages).toBe(1)
  })

  it.each<[string, Partial<StreamConfig>, Partial<StreamSettings>, RegExp]>([
    ['the kind of storage', { storage: 'memory' }, {}, /storage: is memory, should be file: JetStream cannot/],
    ['how long messages are kept', { retention: 'interest' }, {}, /retention: is interest, should be limits/],
    ['less space than is used', {}, { maxBytes: 100 }, /max_bytes: is unlimited, should be 100: it holds \d+ bytes/],
    [
      'an age that messages are beyond',
      {},
      { maxAge: 1 },
      /max_age: is none, should be 0.001s: messages since .* deleted/,
    ],
    [
      'fewer subjects',
      { subjects: ['readings.*.*', 'old.*'] },
      {},
      /subjects: .*what is published on old\.\* would not/,
    ],
  ])('are not touched when they would change %s', async (_, have, want, message) => {
    await centre.manager.streams.add({ name: STREAMS.readings, subjects: ['readings.*.*'], ...have })
    await centre.manager.streams.add({ name: STREAMS.events, subjects: ['events.*.*.*'] })
    await centre.publishReadings({ site: 's', from: 0 }, readings(0, 99))
    const before = await config(STREAMS.readings)
    const refused = apply(want)
    await expect(refused).rejects.toMatchObject({ code: 'CENTRAL_STREAM_CONFLICT', name: 'OperatorError' })
    await expect(refused).rejects.toThrow(message)
    await expect(refused).rejects.toThrow(/stream READINGS, /)
    expect(await config(STREAMS.readings)).toEqual(before)
    // Not even the other streams: half a change helps nobody.
    expect((await config(STREAMS.events)).deny_delete).toBe(false)
    expect(await centre.manager.streams.info(STREAMS.latest).catch(({ code }) => code)).toBe(10059)
  })

  it('are not given fewer copies', async () => {
    const { refusals } = await import('../../../sync/provision/compare.ts')
    await apply()
    const info = await centre.manager.streams.info(STREAMS.readings)
    const [plan] = streamPlans(SETTINGS)
    if (!plan) throw new Error('no plan')
    const replicated = { ...info, config: { ...info.config, num_replicas: 3 } }
    expect(refusals(replicated, plan)).toEqual([
      'stream READINGS, num_replicas: is 3, should be 1: fewer copies are less safe',
    ])
  })

  it('of another name with the same subjects are named by the server', async () => {
    await centre.manager.streams.add({ name: 'MINE', subjects: ['readings.>'] })
    await expect(apply()).rejects.toMatchObject({ code: 'CENTRAL_APPLY_REFUSED', message: /READINGS: .*overlap/ })
  })
})

describe('a server', () => {
  it('that has no JetStream is said to have none', async () => {
    const server = await startCentral({ dir: await tempDir(), extraConfig: 'jetstream: disabled' })
    onTestFinished(() => server.stop())
    const applied = applyStreams(settingsOf(server.url), streamPlans(SETTINGS), {
      dryRun: false,
      signal: new AbortController().signal,
    })
    await expect(applied).rejects.toMatchObject({ code: 'CENTRAL_NO_JETSTREAM' })
  })

  it('that wants credentials gets those of the settings', async () => {
    const users = 'authorization { users: [{ user: admin, password: right }] }'
    const server = await startCentral({ dir: await tempDir(), extraConfig: users })
    onTestFinished(() => server.stop())
    const applyAs = (password: string) =>
      applyStreams({ ...settingsOf(server.url), user: 'admin', password }, streamPlans(SETTINGS), {
        dryRun: false,
        signal: new AbortController().signal,
      })
    await expect(applyAs('wrong')).rejects.toMatchObject({ code: 'LINK_DIAL_FAILED', message: /Authorization/ })
    expect(await applyAs('right')).toHaveLength(ALL.length)
    const connection = await connect({ servers: server.url, user: 'admin', pass: 'right' })
    await connection.close()
  })
})
