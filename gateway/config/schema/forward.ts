import { z } from 'zod'
import { choice, duration, numberOr, size, sizeOr } from '../fields.ts'

/** How the outbox drains. */
export const forward = z
  .strictObject({
    pack: z
      .strictObject({
        minBytes: size('Smallest size the packs are cut down to on a slow link.', { min: 1024 }).prefault('16KiB'),
        maxBytes: size("Largest pack, before compression; never above the server's own limit.", { min: 1024 }).prefault(
          '768KiB',
        ),
        target: duration('Round trip that pack sizes aim at: slower means smaller packs.', { min: 1 }).prefault(
          '200ms',
        ),
      })
      .prefault({})
      .meta({ description: 'Blocks are joined into packs: one message holding many readings.' }),
    compress: choice('`auto` compresses where the link, not the CPU, is the limit.', ['none', 'gzip', 'auto']).prefault(
      'auto',
    ),
    pace: z
      .strictObject({
        bytesPerSecond: sizeOr('unlimited', 'Bytes a second on the wire.', { min: 1024 }).prefault('unlimited'),
        packsPerSecond: numberOr('unlimited', 'Packs a second.', { min: 0.1 }).prefault('unlimited'),
        jitter: duration(
          'Random wait, up to this, before the backlog starts to drain: the gateways of a region come back at once.',
        ).prefault('250ms'),
      })
      .prefault({})
      .meta({ description: 'Sparing the link and the centre while a backlog drains.' }),
    linger: duration('When there is no backlog: at least so long after a pack goes the next.').prefault('20ms'),
    stallAfter: duration(
      'The link counts as stalled when the oldest unacknowledged record has not changed for this long.',
      { min: 1000 },
    ).prefault('30s'),
  })
  .prefault({})
  .meta({ description: 'How the outbox drains to the centre.' })
