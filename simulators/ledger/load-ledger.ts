import { createReadStream } from 'node:fs'
import { OperatorError } from '../../sync/contract/index.ts'
import type { JournalLine } from './journal.ts'
import { Ledger } from './ledger.ts'
import type { SeriesLedger } from './series.ts'

/**
 * The ledger that one or more files hold together (each written by a process of its own, for devices of its own).
 *
 * @throws OperatorError `LEDGER_FILE_UNREADABLE`, `LEDGER_FILE_DAMAGED`
 */
export async function loadLedger(paths: readonly string[]): Promise<Ledger> {
  const ledger = new Ledger({ startedAt: Number.POSITIVE_INFINITY })
  for (const path of paths) await loadInto(ledger, path)
  return ledger
}

async function loadInto(ledger: Ledger, path: string): Promise<void> {
  const series = new Map<number, SeriesLedger>()
  let ended = false
  let number = 0
  for await (const text of wholeLines(path)) {
    number++
    try {
      const line: JournalLine = JSON.parse(text)
      if ((number === 1) !== (line[0] === 'ledger'))
        throw new Error('a ledger begins with its one line ["ledger", ...]')
      if (line[0] === 'end') ended = true
      else replay(ledger, series, line)
    } catch (cause) {
      throw new OperatorError('LEDGER_FILE_DAMAGED', `line ${number} of ${path} is not a line of a ledger`, { cause })
    }
  }
  if (number === 0)
    throw new OperatorError('LEDGER_FILE_DAMAGED', `${path} is empty: a ledger has at least its first line`)
  if (!ended) ledger.truncated = true
}

function replay(ledger: Ledger, series: Map<number, SeriesLedger>, line: JournalLine): void {
  switch (line[0]) {
    case 'ledger':
      if (line[1] !== 1) throw new Error(`this program reads version 1 of the file, not ${line[1]}`)
      ledger.startedAt = Math.min(ledger.startedAt, line[2])
      break
    case 'run':
      ledger.addRun(line[1])
      break
    case 'series': {
      const [, id, key, device, metric, session] = line
      series.set(
        id,
        key === 'seq' ? ledger.series({ device, metric, session }) : ledger.timedSeries({ device, metric }),
      )
      break
    }
    case 'topic':
      ledger.addTopic(line[1], line[3] === null ? { device: line[2] } : { device: line[2], metric: line[3] })
      break
    case 'sent': {
      const target = known(series, line[1])
      let key = line[2]
      for (const value of line[3]) target.attemptFingerprint(key++, value)
      break
    }
    case 'range':
      known(series, line[1]).attemptRange(line[2], line[3])
      break
    case 'acked':
      known(series, line[1]).acknowledge(line[2], line[3])
      break
    case 'counted':
      ledger.count({ device: line[1], metric: line[2] }, line[3], line[4])
      break
    case 'spoiled':
      ledger.countSpoiled({ device: line[1], topic: line[2], key: line[3] }, line[4], line[5])
      break
    case 'end':
      break
    default:
      throw new Error('unknown kind of line')
  }
}

function known(series: Map<number, SeriesLedger>, id: number): SeriesLedger {
  const found = series.get(id)
  if (found === undefined) throw new Error(`series ${id} was not introduced`)
  return found
}

/** Lines that end in a line feed: a last one without it is what a killed writer did not finish. */
async function* wholeLines(path: string): AsyncGenerator<string> {
  let rest = ''
  try {
    for await (const chunk of createReadStream(path, { encoding: 'utf8', highWaterMark: 1 << 20 })) {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      yield* lines
    }
  } catch (cause) {
    throw new OperatorError('LEDGER_FILE_UNREADABLE', `cannot read the ledger ${path}`, { cause })
  }
}
