import { cp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { COMMANDS } from '../../../gateway/cli/commands/index.ts'
import { decodeBlock, encodeBlock } from '../../../gateway/outbox/block.ts'
import { cursorKey, headKey, namedKey, namedRange, offsetKey, offsetRange } from '../../../gateway/outbox/keys.ts'
import { type KeyValueStore, levelDisk } from '../../../gateway/ports/index.ts'
import { openOutbox, reading } from '../../support/outbox.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { acknowledge, append, fill, range, readLane, readSeqs } from '../outbox/support/lane.ts'
import { type Ran, runIn } from './support/context.ts'

const outbox = (command: string, dir: string, ...more: string[]): Promise<Ran> =>
  runIn(COMMANDS, ['outbox', command, '--data', dir, ...more])

/** A data folder: readings 1 to 100 in blocks of ten, of which 40 are forwarded, one event, one dead letter. */
async function made(): Promise<string> {
  const dir = await tempDir()
  const box = await openOutbox({ disk: levelDisk, dir })
  await fill(box, 1, 100, 10)
  acknowledge(box.outbox.lane('readings'), 40)
  await append(box.outbox, 'events', '{"n":1}')
  await append(box.outbox, 'deadletters', '{"code":"X"}')
  await box.outbox.close()
  return dir
}

async function change(dir: string, work: (store: KeyValueStore) => Promise<void>): Promise<void> {
  const store = await levelDisk.openStore(join(dir, 'db'), { create: false, compression: true })
  await work(store).finally(() => store.close())
}

const block = (first: number): Buffer => offsetKey('b', 'readings', first)

/** Flips a bit of what is stored under the key. */
async function flip(store: KeyValueStore, key: Buffer, at: number): Promise<void> {
  const value = Buffer.from((await store.get(key)) ?? Buffer.alloc(0))
  value.writeUInt8(value.readUInt8(at) ^ 1, at)
  await store.write([{ type: 'put', key, value }], { sync: true })
}

async function seqsOf(dir: string): Promise<number[]> {
  const box = await openOutbox({ disk: levelDisk, dir })
  onTestFinished(() => box.outbox.close())
  return readSeqs(box.outbox.lane('readings'), 0)
}

async function file(dir: string, pattern: RegExp): Promise<string> {
  const name = (await readdir(join(dir, 'db'))).find((candidate) => pattern.test(candidate))
  if (name === undefined) throw new Error(`nothing like ${pattern}`)
  return join(dir, 'db', name)
}

describe('tidegate outbox inspect', () => {
  it('shows whose it is and what it holds', async () => {
    const dir = await made()
    const { exitCode, stdout, stderr } = await outbox('inspect', dir)
    expect([exitCode, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(new RegExp(`^outbox in ${dir}\n  gateway gw of site site, epoch [0-9a-f]{16}, format 1\n`))
    expect(stdout).toContain('1 series, 0 groups of alarms, 0 QoS 2 publishes not yet released')
    expect(stdout).toContain('readings\n  100 accepted = 40 forwarded + 60 pending + 0 missing\n')
    expect(stdout).toMatch(
      /next to forward: 40; kept: from 0 on, [\d.]+ kB\n {2}pending: [\d.]+ kB, the oldest since 2/,
    )
    expect(stdout).toContain('events\n  1 accepted = 0 forwarded + 1 pending + 0 missing')
  })

  it('says the same for programs', async () => {
    const dir = await made()
    const { stdout } = await outbox('inspect', dir, '--json')
    expect(JSON.parse(stdout)).toMatchObject({
      dir,
      identity: { site: 'site', gateway: 'gw', format: 1 },
      series: 1,
      alarms: 0,
      unreleased: 0,
      lanes: {
        readings: {
          head: 100,
          tail: 0,
          cursor: { next: 40 },
          forwarded: 40,
          pending: 60,
          missing: 0,
          gaps: [],
          quarantined: [],
        },
        events: { head: 1, pending: 1 },
        deadletters: { head: 1, pending: 1 },
      },
    })
  })

  it('finds the folder by the configuration, and changes nothing that a gateway would notice', async () => {
    const dir = await made()
    const config = join(await tempDir(), 'plant.yaml')
    await writeFile(config, `site: site\ngateway: gw\ndataDir: ${dir}\n`)
    for (const _ of [1, 2]) {
      const { exitCode, stdout } = await runIn(COMMANDS, ['outbox', 'inspect', '--config', config, '--json'])
      expect(exitCode).toBe(0)
      expect(JSON.parse(stdout).lanes.readings.pending).toBe(60)
    }
    expect(await seqsOf(dir)).toEqual(range(1, 100))
  })

  it('says that a gateway has it open, and that there is none', async () => {
    const dir = await tempDir()
    const box = await openOutbox({ disk: levelDisk, dir })
    onTestFinished(() => box.outbox.close())
    for (const command of ['inspect', 'verify', 'repair']) {
      const { exitCode, stderr } = await outbox(command, dir)
      expect(exitCode).toBe(3)
      expect(stderr).toContain('error STORE_LOCKED')
      expect(stderr).toContain('in use by another gateway or command; stop that one')
      const elsewhere = await outbox(command, join(dir, 'nowhere'))
      expect(elsewhere.exitCode).toBe(3)
      expect(elsewhere.stderr).toContain('error OUTBOX_ABSENT: there is no outbox in')
    }
    expect(await box.put(reading(1))).toBe(true)
    expect(await readdir(dir)).not.toContain('nowhere')
  })
})

describe('tidegate outbox verify', () => {
  it('says that all is sound', async () => {
    const dir = await made()
    const { exitCode, stdout, stderr } = await outbox('verify', dir)
    expect([exitCode, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^102 records in 12 blocks, [\d.]+ kB: all sound\n$/)
  })

  it('finds every kind of damage, says where, and changes nothing', async () => {
    const dir = await made()
    await change(dir, async (store) => {
      await flip(store, block(10), 60)
      await flip(store, block(30), 20)
      await store.write([{ type: 'del', key: block(50) }], { sync: true })
      await flip(store, block(90), 70)
      for await (const key of store.keys(namedRange('s'))) await flip(store, key, 5)
      for await (const key of store.keys(offsetRange('p', 'readings', 0))) await flip(store, key, 5)
    })
    for (const _ of [1, 2]) {
      const { exitCode, stdout } = await outbox('verify', dir)
      expect(exitCode).toBe(1)
      expect(stdout).toContain('damaged: readings 10-19, a block of the outbox is damaged: its body does not match')
      expect(stdout).toContain('damaged: readings 30-39, a block of the outbox is damaged: its header does not match')
      expect(stdout).toContain('missing: readings 50-59, neither there nor declared')
      expect(stdout).toContain('missing: readings 90-99, the last blocks of the lane are damaged or gone')
      expect(stdout).toContain('note: the state of a series cannot be read')
      expect(stdout).toContain('note: a segment of readings cannot be read')
      expect(stdout).toMatch(/62 records in 8 blocks, [\d.]+ kB: 6 findings\n$/)
    }
    const { stdout } = await outbox('verify', dir, '--json')
    expect(JSON.parse(stdout)).toMatchObject({ blocks: 8, records: 62 })
    expect(JSON.parse(stdout).findings).toContainEqual({ kind: 'missing', lane: 'readings', from: 50, to: 59 })
  })

  it('finds a block that is sound and of another history, and repair leaves it to a person', async () => {
    const dir = await made()
    await change(dir, async (store) => {
      const value = (await store.get(block(60))) ?? Buffer.alloc(0)
      const { body, ...facts } = decodeBlock(value)
      const forged = encodeBlock(body, { ...facts, lineageBefore: 12_345 })
      await store.write([{ type: 'put', key: block(60), value: forged.value }], { sync: true })
    })
    const verified = await outbox('verify', dir)
    expect(verified.exitCode).toBe(1)
    expect(verified.stdout).toContain('inconsistent: readings 60-69, it does not continue the running checksum')
    const repaired = await outbox('repair', dir)
    expect(repaired.exitCode).toBe(1)
    expect(repaired.stdout).toContain('left as it is: inconsistent: readings 60-69')
    expect(await seqsOf(dir)).toEqual(range(1, 100))
  })
})

describe('tidegate outbox repair', () => {
  it('has nothing to do where nothing is wrong', async () => {
    const dir = await made()
    expect(await outbox('repair', dir)).toEqual({ exitCode: 0, stdout: 'nothing to repair\n', stderr: '' })
    expect(await readdir(dir)).toEqual(['db', 'outbox.json'])
  })

  it('sets damaged blocks aside, declares what is missing, says so, and is done then', async () => {
    const dir = await made()
    await change(dir, async (store) => {
      await flip(store, block(10), 60)
      await flip(store, block(60), 20)
      await store.write([{ type: 'del', key: block(80) }], { sync: true })
      await flip(store, block(90), 70)
      for (const key of [headKey('readings'), cursorKey('readings'), namedKey('m', 'identity')])
        await flip(store, key, 0)
      for await (const key of store.keys(namedRange('s'))) await flip(store, key, 5)
    })
    // The end of the lane cannot be told any more: neither by its last block nor by the note of its head.
    await change(dir, (store) => flip(store, block(90), 30))
    const { exitCode, stdout } = await outbox('repair', dir)
    expect(exitCode).toBe(0)
    expect(stdout).toContain('set the damaged block of readings 10-19 aside (a block of the outbox is damaged')
    expect(stdout).toContain('declared readings 10-19 missing')
    expect(stdout).toContain('declared readings 60-69 missing')
    expect(stdout).toContain('declared readings 80-65625 missing: the last blocks are damaged or gone')
    expect(stdout).toContain('wrote into the store again whose it is')
    expect(stdout).toContain('removed a note that had no effect any more: the head of readings cannot be read')
    expect(stdout).toContain('removed a note that had no effect any more: the state of a series cannot be read')
    expect(stdout).toMatch(/62 records in 8 blocks can be read\n$/)

    expect((await outbox('verify', dir)).exitCode).toBe(0)
    expect((await outbox('repair', dir)).stdout).toBe('nothing to repair\n')
    const inspected = JSON.parse((await outbox('inspect', dir, '--json')).stdout)
    expect(inspected.lanes.readings.quarantined.map(({ first }: { first: number }) => first)).toEqual([10, 60, 90])
    const box = await openOutbox({ disk: levelDisk, dir })
    onTestFinished(() => box.outbox.close())
    expect(await readSeqs(box.outbox.lane('readings'), 0)).toEqual([
      ...range(1, 10),
      ...range(21, 60),
      ...range(71, 80),
    ])
    // Nothing is reported a second time.
    expect(box.said).toEqual([])
  })

  it('does not call missing what the centre has', async () => {
    const dir = await made()
    await change(dir, (store) => flip(store, block(20), 60))
    const { exitCode, stdout } = await outbox('repair', dir)
    expect(exitCode).toBe(0)
    expect(stdout).toContain('set the damaged block of readings 20-29 aside')
    expect(stdout).not.toContain('missing')
    const { lanes } = JSON.parse((await outbox('inspect', dir, '--json')).stdout)
    expect(lanes.readings).toMatchObject({ forwarded: 40, pending: 60, missing: 0 })
  })

  const indexDamages: [string, (dir: string) => Promise<void>][] = [
    ['CURRENT was deleted', async (dir) => rm(join(dir, 'db', 'CURRENT'))],
    ['CURRENT was emptied', async (dir) => truncate(join(dir, 'db', 'CURRENT'), 0)],
    ['MANIFEST was truncated', async (dir) => truncate(await file(dir, /^MANIFEST/), 20)],
    ['MANIFEST was deleted', async (dir) => rm(await file(dir, /^MANIFEST/))],
  ]

  it.each(indexDamages)('rebuilds the index when %s, after a copy of what is left of it', async (_, damage) => {
    const dir = await made()
    await damage(dir)
    const left = (await readdir(join(dir, 'db'))).filter((name) => /^(CURRENT|MANIFEST|LOG)/.test(name)).sort()
    for (const command of ['inspect', 'verify']) {
      const { exitCode, stderr } = await outbox(command, dir)
      expect(exitCode).toBe(3)
      expect(stderr).toContain('error STORE_DAMAGED')
      expect(stderr).toContain("run 'tidegate outbox repair'")
    }
    const { exitCode, stdout } = await outbox('repair', dir)
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/^copied .* of the store to .*repair-/)
    expect(stdout).toContain('rebuilt the index of the store from its tables and logs')
    expect(stdout).toContain('102 records in 12 blocks can be read')
    const backup = (await readdir(dir)).find((name) => name.startsWith('repair-')) ?? ''
    expect((await readdir(join(dir, backup))).sort()).toEqual(
      expect.arrayContaining(left.filter((name) => name !== 'LOG')),
    )
    expect(await seqsOf(dir)).toEqual(range(1, 100))
  })

  it('writes a lost marker file again', async () => {
    const dir = await made()
    const marker = join(dir, 'outbox.json')
    const before = await readFile(marker, 'utf8')
    await rm(marker)
    const { exitCode, stdout } = await outbox('repair', dir)
    expect([exitCode, stdout.split('\n')[0]]).toEqual([0, `wrote ${marker} again`])
    expect(await readFile(marker, 'utf8')).toBe(before)
  })

  it('finds what a bad sector took out of a table, and makes the store one that can be written again', async () => {
    const dir = await tempDir()
    const box = await openOutbox({ disk: levelDisk, dir })
    await fill(box, 1, 6000, 200)
    await box.outbox.close()
    await change(dir, (store) => store.compact({ gte: Buffer.from([0]), lt: Buffer.from([0xff]) }))
    const table = await file(dir, /\.ldb$/)
    const bytes = await readFile(table)
    bytes.fill(0xff, bytes.length >> 1, (bytes.length >> 1) + 2000)
    await writeFile(table, bytes)

    const verified = await outbox('verify', dir)
    expect(verified.exitCode).toBe(1)
    expect(verified.stdout).toMatch(/missing: readings \d+-\d+, neither there nor declared/)
    const { exitCode, stdout } = await outbox('repair', dir)
    expect(exitCode).toBe(0)
    expect(stdout).toContain('rebuilt the index of the store from its tables and logs')
    expect(stdout).toMatch(/declared readings \d+-\d+ missing/)
    expect((await outbox('verify', dir)).exitCode).toBe(0)
    await change(dir, async (store) => {
      await store.compact({ gte: Buffer.from([0]), lt: Buffer.from([0xff]) })
      await store.write([{ type: 'put', key: Buffer.from('mtest'), value: Buffer.alloc(1) }], { sync: true })
    })
    const again = await openOutbox({ disk: levelDisk, dir })
    onTestFinished(() => again.outbox.close())
    const { lines, gaps } = await readLane(again.outbox.lane('readings'), 0)
    expect(lines.size).toBeGreaterThan(5000)
    expect(lines.size + gaps.reduce((sum, { from, to }) => sum + to - from + 1, 0)).toBe(6000)
    expect(again.said).toEqual([])
  })

  it('finds what a flipped bit took out of the log', async () => {
    const dir = await tempDir()
    const source = await tempDir()
    const box = await openOutbox({ disk: levelDisk, dir: source })
    await fill(box, 1, 2000, 100)
    await cp(source, dir, { recursive: true })
    await box.outbox.close()
    const log = await file(dir, /\.log$/)
    const bytes = await readFile(log)
    bytes.fill(0xff, bytes.length >> 1, (bytes.length >> 1) + 4)
    await writeFile(log, bytes)
    const { exitCode, stdout } = await outbox('repair', dir)
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/declared readings \d+-\d+ missing/)
    const found = await seqsOf(dir)
    expect(found.length).toBeGreaterThan(1400)
    expect(found.length).toBeLessThan(2000)
    expect(found.at(-1)).toBe(2000)
  })

  it('says that nothing is left when the tables are gone', async () => {
    const dir = await made()
    await rm(join(dir, 'db'), { recursive: true })
    const gone = await outbox('repair', dir)
    expect(gone.exitCode).toBe(3)
    expect(gone.stderr).toContain('error STORE_MISSING')
    await (await levelDisk.openStore(join(dir, 'db'), { create: true, compression: true })).close()
    const empty = await outbox('repair', dir)
    expect(empty.exitCode).toBe(3)
    expect(empty.stderr).toContain('error OUTBOX_EMPTIED')
  })
})
