import { createReadStream } from 'node:fs'
import { addAbortSignal, type Readable } from 'node:stream'
import type { Bytes } from '../../../sync/contract/index.ts'
import { OperatorError } from '../../../sync/contract/index.ts'
import type { RecordedBatch, Recording } from './recording.ts'

/** Read at once: as many lines are held in memory. */
const CHUNK: Bytes = 256 * 1024
/** No reading is this long. What has no end of line is not kept in memory to find that out. */
const LONGEST_LINE = 1024 * 1024

/**
 * The lines of a file, or of standard input where it is called `-`. Ends early when `signal` aborts.
 *
 * @throws OperatorError `READINGS_UNREADABLE`
 */
export async function* fileRecording(file: string, stdin: Readable, signal: AbortSignal): Recording {
  const chunks = addAbortSignal(signal, file === '-' ? stdin : createReadStream(file, { highWaterMark: CHUNK }))
  try {
    yield* batches(chunks)
  } catch (cause) {
    // Whoever stopped it wants no more of it; also where nothing comes on standard input.
    if (signal.aborted) return
    const { code } = cause as NodeJS.ErrnoException
    if (code === undefined) throw cause
    throw new OperatorError(
      'READINGS_UNREADABLE',
      `cannot read ${file === '-' ? 'standard input' : file} (${code}); expected readings as NDJSON, one a line`,
      { cause },
    )
  }
}

async function* batches(chunks: AsyncIterable<Uint8Array | string>): AsyncIterable<RecordedBatch> {
  const decoder = new TextDecoder()
  let rest = ''
  /** The line goes on, and was given up. */
  let tooLong = false
  for await (const chunk of chunks) {
    const lines = (rest + (typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true }))).split('\n')
    rest = lines.pop() ?? ''
    if (tooLong && lines.length > 0) {
      lines.shift()
      tooLong = false
    } else if (tooLong) rest = ''
    const faults: string[] = []
    if (rest.length > LONGEST_LINE) {
      faults.push(`expected lines of at most ${LONGEST_LINE} characters`)
      rest = ''
      tooLong = true
    }
    if (lines.length > 0 || faults.length > 0) yield { source: null, lines, faults }
  }
  if (rest !== '' && !tooLong) yield { source: null, lines: [rest], faults: [] }
}
