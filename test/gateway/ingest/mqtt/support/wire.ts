import type { Duplex } from 'node:stream'
import type { Wire } from '../../../../../gateway/ingest/mqtt/wire.ts'

/** A stream whose bytes are gone after the call that they were given to: whoever needs them later has to have kept a copy. */
export const lendingWire = (stream: Duplex): Wire => ({
  stream,
  read: (take) =>
    void stream.on('data', (chunk: Buffer) => {
      const lent = Buffer.from(chunk)
      take(lent)
      lent.fill(0xee)
    }),
  writeNow: () => 0,
})
