import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { freePorts } from '../../../simulators/central/index.ts'
import { readingsSubject } from '../../../sync/contract/index.ts'
import { systemRandom } from '../../../sync/runtime/index.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { readings, TestCentre } from '../../support/test-centre.ts'
import { filePositions } from './file-positions.ts'
import { range, start, until, values } from './running.ts'

async function centreOfItsOwn(
  options: Parameters<typeof TestCentre.start>[0] = {},
  streams = true,
): Promise<TestCentre> {
  const centre = await TestCentre.start(options, streams)
  onTestFinished(() => centre.stop())
  return centre
}

/** Runs a consumer as a process that kills itself at a value. */
async function crash(centre: TestCentre, site: string, file: string, dieAt: number, mode: 'stored' | 'transactional') {
  const script = fileURLToPath(new URL('crashing-consumer.ts', import.meta.url))
  const args = [centre.server.url, site, 'crashing', file, String(dieAt), mode]
  const child = spawn(process.execPath, ['--import', 'tsx', script, ...args], { stdio: 'inherit' })
  onTestFinished(() => void child.kill('SIGKILL'))
  const [, signal] = await once(child, 'exit')
  expect(signal).toBe('SIGKILL')
}

// Processes that start one after the other take a while on a busy machine.
describe('a consumer', { timeout: 90_000 }, () => {
  it('killed in the middle of a pack goes on behind the record that it was killed at', async () => {
    const centre = await centreOfItsOwn()
    const dir = await tempDir()
    const file = join(dir, 'positions')
    const site = 's'
    await centre.publishReadings({ site, from: 0 }, readings(0, 9))
    await centre.publishReadings({ site, from: 10 }, readings(10, 19))
    await crash(centre, site, file, 14, 'stored')
    const before = readFileSync(`${file}.seen`, 'utf8').trim().split('\n').map(Number)
    expect(before).toEqual(range(0, 14))

    const survivor = start({ servers: centre.server.url, site, durable: 'crashing', positions: filePositions(file) })
    await until(() => survivor.records.length === 6)
    await survivor.stop()
    // Only the record that was under way is handed out a second time.
    expect(values(survivor)).toEqual(range(14, 19))
    expect(survivor.reports[0]).toMatchObject({ kind: 'resume', from: 10, to: 13 })
    expect(filePositions(file).load(`${readingsSubject(site, 'gw')}/epoch-1`)).toBe(19)
  })

  it('whose handler stores the position with what it does handles every reading exactly once, killed or not', async () => {
    const centre = await centreOfItsOwn()
    const file = join(await tempDir(), 'effects')
    const site = 's'
    for (const from of [0, 10, 20]) await centre.publishReadings({ site, from }, readings(from, from + 9))
    for (const dieAt of [4, 5, 19, 29]) await crash(centre, site, file, dieAt, 'transactional')
    await centre.publishReadings({ site, from: 30 }, readings(30, 30))
    const survivor = start({
      servers: centre.server.url,
      site,
      durable: 'crashing',
      positions: filePositions(file, true),
    })
    await until(() => survivor.records.length === 1)
    const effects = readFileSync(file, 'utf8').trim().split('\n')
    expect(effects.map((line) => Number(line.split(' ')[2]))).toEqual(range(0, 29))
    expect(values(survivor)).toEqual([30])
  })

  it('whose connection breaks in the middle of everything loses nothing and repeats nothing', async () => {
    const centre = await centreOfItsOwn()
    const site = 's'
    let published = 0
    const publishSome = async (packs: number): Promise<void> => {
      for (let i = 0; i < packs; i++, published += 10)
        await centre.publishReadings({ site, from: published }, readings(published, published + 9))
    }
    await publishSome(40)
    const consumer = start({
      servers: centre.server.url,
      site,
      durable: 'd',
      ackWait: 2_000,
      handler: async () => new Promise((resolve) => setImmediate(resolve)),
    })
    for (let round = 1; round <= 4; round++) {
      await until(() => consumer.records.length >= published / 2)
      await centre.server.kill()
      await centre.server.restart()
      await until(
        () =>
          publishSome(20).then(
            () => true,
            () => false,
          ),
        'publishing',
      )
    }
    await until(() => consumer.records.length >= published, 'everything', 25_000)
    expect(values(consumer)).toEqual(range(0, published - 1))
    expect(consumer.kinds().filter((kind) => kind === 'gap' || kind === 'deadletter')).toEqual([])
    expect(consumer.reports.filter((report) => report.kind === 'link').length).toBeGreaterThanOrEqual(2)
  })

  it('that starts before the centre and before its streams waits for them, and says so', async () => {
    const dir = await tempDir()
    const [port] = await freePorts(1, systemRandom)
    const consumer = start({ servers: `nats://127.0.0.1:${port}`, site: 's', durable: 'd', retry: { max: 200 } })
    await until(() => consumer.reports.some((report) => report.kind === 'trouble' && report.what === 'cannot connect'))
    const centre = await centreOfItsOwn({ ...(port === undefined ? {} : { port }), dir: join(dir, 'central') }, false)
    await until(() => consumer.reports.some((report) => report.kind === 'trouble' && report.what.includes('READINGS')))
    await centre.addStreams()
    await centre.publishReadings({ site: 's', from: 0 }, readings(0, 4))
    await until(() => consumer.records.length === 5)
    expect(values(consumer)).toEqual(range(0, 4))
  })

  it('whose stream is wiped and filled again from a retained tail repeats nothing', async () => {
    const centre = await centreOfItsOwn()
    await centre.publishReadings({ site: 's', from: 0 }, readings(0, 9))
    await centre.publishReadings({ site: 's', from: 10 }, readings(10, 19))
    const consumer = start({ servers: centre.server.url, site: 's', durable: 'd' })
    await until(() => consumer.records.length === 20)
    await centre.manager.streams.delete('READINGS')
    await centre.manager.streams.add({ name: 'READINGS', subjects: ['readings.*.*'], allow_direct: true })
    await centre.publishReadings({ site: 's', from: 5 }, readings(5, 24))
    await until(() => consumer.records.length >= 25)
    await centre.publishReadings({ site: 's', from: 25 }, readings(25, 29))
    await until(() => consumer.records.length >= 30)
    expect(values(consumer)).toEqual(range(0, 29))
    expect(consumer.kinds()).toContain('regress')
  })

  it('whose durable is deleted makes it anew, and repeats nothing', async () => {
    const centre = await centreOfItsOwn()
    await centre.publishReadings({ site: 's', from: 0 }, readings(0, 9))
    const consumer = start({ servers: centre.server.url, site: 's', durable: 'd' })
    await until(() => consumer.records.length === 10)
    await centre.manager.consumers.delete('READINGS', 'd')
    await centre.publishReadings({ site: 's', from: 10 }, readings(10, 14))
    await until(() => consumer.records.length >= 15)
    expect(values(consumer)).toEqual(range(0, 14))
  })
})
