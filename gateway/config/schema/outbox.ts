import { z } from 'zod'
import { choice, duration, durationOr, flag, integer, size } from '../fields.ts'

/** The durable queue between devices and centre. */
export const outbox = z
  .strictObject({
    maxBytes: size('Disk space of everything kept, acknowledged tail included.', { min: 8_000_000 }).prefault('10GB'),
    maxAge: durationOr('none', 'Readings older than this are evicted even if they were never forwarded.', {
      min: 1000,
    }).prefault('none'),
    whenFull: choice(
      '`reject`: take nothing more (no acknowledgement, devices keep their readings) until there is room. `evict`: drop the oldest readings, count them and declare the gap centrally; events are never dropped.',
      ['reject', 'evict'],
    ).prefault('reject'),
    retainAcked: z
      .strictObject({
        bytes: size('At most this much is kept after the centre acknowledged it.').prefault('256MB'),
        age: duration('At most this long.').prefault('1h'),
      })
      .prefault({})
      .meta({
        description:
          'What is kept after acknowledgement, to heal a centre that comes back with less than it acknowledged.',
      }),
    minFree: size('Free space to leave on the disk; below it the outbox counts as full.').prefault('256MB'),
    reserve: size('A file set aside, given up when the disk is full, so that there is room to recover.').prefault(
      '16MB',
    ),
    block: z
      .strictObject({
        maxBytes: size('Largest block (one group commit), before compression.', {
          min: 4096,
          max: 64 * 2 ** 20,
        }).prefault('256KiB'),
        maxRecords: integer('Most records in one block.', { min: 1, max: 65_536 }).prefault(4096),
        spacing: duration(
          'Blocks that several publishes wait for begin at least this far apart: fewer and larger writes, which leave more of the processor. A publish that nobody else waits with is written at once.',
          { min: 0, max: 1000 },
        ).prefault('4ms'),
      })
      .prefault({})
      .meta({ description: 'One block is one write and one fsync; records gather while the last one is under way.' }),
    compression: flag('Compress on disk (Snappy). Costs a little CPU, saves about two thirds of the space.').prefault(
      true,
    ),
  })
  .prefault({})
  .meta({ description: 'The durable queue between the devices and the centre.' })
