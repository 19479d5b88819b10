import { execFileSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { acknowledgedMore, bufferedAtLeast, drained, expectNothingWrong, onSite } from '../support/site.ts'

/** Runs `test` in a folder that is a file system of its own, of this size. */
async function onSmallDisk(megabytes: number, test: (dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'tidegate-small-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', dir])
  try {
    await test(dir)
  } finally {
    execFileSync('umount', ['-l', dir])
    await rm(dir, { recursive: true, force: true })
  }
}

describe('a disk that fails', () => {
  it('stops acknowledging when it is full, loses nothing, and goes on when there is room', {
    timeout: 90_000,
  }, async () => {
    // LevelDB needs room to clean up: a compaction writes before it deletes.
    await onSmallDisk(40, async (disk) => {
      const config = {
        outbox: {
          minFree: '24MB',
          reserve: '1MB',
          maxBytes: '1GB',
          retainAcked: { bytes: 0, age: 0 },
          compression: false,
        },
      }
      await onSite({ devices: 40, rate: 80, connections: 10, dataDir: join(disk, 'gateway'), config }, async (site) => {
        await acknowledgedMore(site, 100)
        await site.cutLink()
        await site.gateway.waitFor((status) => status?.outbox.full === 'disk', 60_000)
        expect(site.gateway.running).toBe(true)
        await site.healLink()
        await site.gateway.waitFor((status) => status?.outbox.state === 'open', 60_000)
        await acknowledgedMore(site, 500)
        await expectNothingWrong(site)
      })
    })
  })

  it('survives running into the very end of the disk', { timeout: 90_000 }, async () => {
    await onSmallDisk(12, async (disk) => {
      // No margin: the write itself fails. Only the reserve makes room to recover.
      const config = {
        outbox: { minFree: 0, reserve: '5MB', maxBytes: '1GB', retainAcked: { bytes: 0, age: 0 }, compression: false },
      }
      await onSite({ devices: 40, rate: 80, connections: 10, dataDir: join(disk, 'gateway'), config }, async (site) => {
        await acknowledgedMore(site, 100)
        await site.cutLink()
        await expect
          .poll(() => site.gateway.log.some((line) => line.includes('the outbox cannot write')), { timeout: 60_000 })
          .toBe(true)
        await site.healLink()
        await drained(site)
        await acknowledgedMore(site, 500)
        await expectNothingWrong(site)
      })
    })
  })

  it('sets a damaged block aside, says so, and forwards the rest', { timeout: 60_000 }, async () => {
    await onSite(
      { devices: 40, rate: 50, connections: 10, config: { outbox: { compression: false } } },
      async (site, dir) => {
        await acknowledgedMore(site, 200)
        await site.cutLink()
        await bufferedAtLeast(site, 8000, 60_000)
        // LevelDB turns its log into tables when it opens.
        await site.gateway.stop()
        await site.gateway.start()
        await site.gateway.stop()
        const damaged = await flipOneByte(join(dir, 'gateway', 'db'))
        expect(damaged).toBe(true)
        await site.gateway.start()
        await site.healLink()
        const { summary, verdict } = await site.finish()
        // What was damaged is declared: the audit counts it as given up, not as lost.
        expect(summary.evicted).toBeGreaterThan(0)
        expect(verdict.total.evicted).toBe(summary.evicted)
        expect(summary).toMatchObject({ lost: 0, doubled: 0, reordered: 0, invented: 0 })
        expect(site.gateway.log.join('\n')).toContain('a block of the outbox was damaged')
      },
    )
  })
})

/** Changes a letter inside a reading in one of LevelDB's table files. */
async function flipOneByte(db: string): Promise<boolean> {
  for (const name of (await readdir(db)).filter((file) => file.endsWith('.ldb')).sort()) {
    const bytes = await readFile(join(db, name))
    const at = bytes.indexOf('"device":"sensor-', Math.floor(bytes.length / 2))
    if (at < 0) continue
    bytes[at + 3] = (bytes[at + 3] ?? 0) ^ 1
    await writeFile(join(db, name), bytes)
    return true
  }
  return false
}
