import { fc, test } from '@fast-check/vitest'
import { expect, vi } from 'vitest'
import { frameByFrame, kindByKind } from './support/compare.ts'
import { type Pace, play, type Way } from './support/play.ts'
import { type Script, script } from './support/script.ts'

vi.mock('../../../../gateway/ingest/mqtt/tcp-wire.ts', async (load) => {
  const { watched } = await import('./support/far-end.ts')
  return watched(await load())
})

const { TEST_SEEDS } = process.env
/** A script that fails is made smaller for as long as the test may take, and told. */
const EFFORT =
  TEST_SEEDS === undefined
    ? { numRuns: 80, interruptAfterTimeLimit: 45_000, markInterruptAsFailure: true }
    : { numRuns: Number(TEST_SEEDS) }

/**
 * The script over two ways. Not compared are local copies of QoS 1 publishes whose connection was over when the acceptor answered them: nobody is
 * told that such a publish was accepted, and the library then keeps it from local subscribers too, while the direct way hands it on
 * as it would if the connection had ended a moment later (MQTT 3.1.1 §4.3.2: the sender says it again in either case).
 */
async function compare(given: Script, pace: Pace, way: Way): Promise<void> {
  const transcript = await play(given, pace, way)
  const library = await play(given, pace, 'library')
  const orphans = new Set([...transcript.orphans, ...library.orphans])
  const view = pace === 'as it comes' ? kindByKind : frameByFrame
  expect(view(transcript, orphans)).toEqual(view(library, orphans))
}

test.prop([script], EFFORT)(
  'whatever clients say, whenever it is answered, the direct way shows what the library’s way shows, frame by frame',
  (given) => compare(given, 'frame by frame', 'direct'),
)

test.prop([script], EFFORT)('and so does the way of plain readings, whoever listens', (given) =>
  compare(given, 'one listener after the other', 'plain'),
)

test.prop([script, fc.constantFrom<Way[]>('direct', 'plain')], EFFORT)(
  'and so they do when frames come together and in pieces, kind by kind of answer',
  (given, way) => compare(given, 'as it comes', way),
)
