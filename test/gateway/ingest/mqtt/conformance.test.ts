import { test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { frameByFrame, kindByKind } from './support/compare.ts'
import { type Pace, play, type Transcript } from './support/play.ts'
import { type Script, script } from './support/script.ts'

const { TEST_SEEDS } = process.env
/** A script that fails is made smaller for as long as the test may take, and told. */
const EFFORT =
  TEST_SEEDS === undefined
    ? { numRuns: 80, interruptAfterTimeLimit: 45_000, markInterruptAsFailure: true }
    : { numRuns: Number(TEST_SEEDS) }

/**
 * The script over both ways. Not compared are local copies of QoS 1 publishes whose connection was over when the acceptor answered them: nobody is
 * told that such a publish was accepted, and the library then keeps it from local subscribers too, while the direct way hands it on
 * as it would if the connection had ended a moment later (MQTT 3.1.1 §4.3.2: the sender says it again in either case).
 */
async function playBoth(given: Script, pace: Pace) {
  const direct = await play(given, pace, true)
  const library = await play(given, pace, false)
  const orphans = new Set([...direct.orphans, ...library.orphans])
  const view = pace === 'frame by frame' ? frameByFrame : kindByKind
  const seenOf = (transcript: Transcript) => view(transcript, orphans)
  return { direct: seenOf(direct), library: seenOf(library) }
}

test.prop([script], EFFORT)(
  'whatever clients say, whenever it is answered, the direct way shows what the library’s way shows, frame by frame',
  async (given) => {
    const { direct, library } = await playBoth(given, 'frame by frame')
    expect(direct).toEqual(library)
  },
)

test.prop([script], EFFORT)(
  'and so it does when frames come together and in pieces, kind by kind of answer',
  async (given) => {
    const { direct, library } = await playBoth(given, 'as it comes')
    expect(direct).toEqual(library)
  },
)
