import { setMaxListeners } from 'node:events'
import { cpus, loadavg } from 'node:os'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { describeError, UsageError } from '../../sync/contract/index.ts'
import { BENCHES, select } from './catalogue.ts'
import { formatTable, type Row, rowOf } from './report.ts'
import { Scope } from './scope.ts'

const USAGE = `npm run bench -- [--json] [--quick] [--only NAME]... [--flame DIR] [--list]

Measures speed and memory of a real gateway on this machine's disk, beside other software where it is installed.
Run it on a machine that does nothing else. Full: about three quarters of an hour. Progress goes to standard error.

  --json       one JSON object a row: {bench, unit, ours, peer, peerName, ratio, target, met}
  --quick      a few minutes for all, less exact, smaller backlogs
  --only NAME  only this bench (--list names them), or those whose names begin with it; may be repeated
  --flame DIR  leave the profiles of the bench 'cpu' there, for a flame graph in Chrome or speedscope
  --list       the names of all benches
  --help       this text

Exit code: 0 measured (whether or not every target is met), 1 failed, 2 wrong arguments, 130 interrupted.
`

const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const

const say = (line: string): void => {
  process.stderr.write(`${line}\n`)
}

async function main(): Promise<number> {
  const { values } = readArguments()
  if (values.help) {
    process.stdout.write(USAGE)
    return EXIT.ok
  }
  if (values.list) {
    const width = Math.max(...BENCHES.map(({ name }) => name.length))
    for (const { name, summary } of BENCHES) process.stdout.write(`${name.padEnd(width)}  ${summary}\n`)
    return EXIT.ok
  }
  const benches = select(values.only ?? [])
  const controller = new AbortController()
  const { signal } = controller
  // Every load run listens to it.
  setMaxListeners(0, signal)
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => controller.abort())
  const interrupted = new Promise<'interrupted'>((done) => signal.addEventListener('abort', () => done('interrupted')))
  warnOfCompany()

  const scope = new Scope(say)
  const rows: Row[] = []
  const run = async (): Promise<'done'> => {
    for (const bench of benches) {
      say(`${bench.name}: ${bench.summary}`)
      await scope.within(async (inner) => {
        const entry = resolve(import.meta.dirname, '../../bin/tidegate.js')
        const options = {
          quick: values.quick === true,
          entry,
          scope: inner,
          signal,
          flame: values.flame === undefined ? null : resolve(values.flame),
          say: (line: string) => say(`  ${line}`),
        }
        for await (const measurement of bench.run(options)) {
          const row = rowOf(measurement)
          rows.push(row)
          if (values.json) process.stdout.write(`${JSON.stringify(row)}\n`)
        }
      })
    }
    return 'done'
  }
  try {
    // Whatever is going on when Ctrl-C comes loses its processes under its feet: what it says of that does not matter.
    const end = await Promise.race([run(), interrupted])
    if (!values.json && rows.length > 0) process.stdout.write(`${formatTable(rows)}\n`)
    return end === 'interrupted' ? EXIT.interrupted : EXIT.ok
  } catch (error) {
    if (signal.aborted) return EXIT.interrupted
    say(error instanceof Error ? (error.stack ?? error.message) : describeError(error))
    return EXIT.failed
  } finally {
    await scope.close()
  }
}

function readArguments() {
  try {
    return parseArgs({
      options: {
        json: { type: 'boolean' },
        quick: { type: 'boolean' },
        only: { type: 'string', multiple: true },
        flame: { type: 'string' },
        list: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    throw new UsageError('BENCH_ARGUMENTS', `${describeError(error)}\n\n${USAGE}`, { cause: error })
  }
}

/** Numbers from a busy machine are about the machine. */
function warnOfCompany(): void {
  const [load = 0] = loadavg()
  const [cpu] = cpus()
  say(`${cpus().length} processors (${cpu?.model ?? 'unknown'}), Node.js ${process.version}, load ${load.toFixed(1)}`)
  if (load > cpus().length / 2) say('the machine is busy: trust the ratios more than the numbers')
}

main().then(
  (code) => process.stdout.write('', () => process.exit(code)),
  (error: unknown) => {
    say(
      error instanceof UsageError
        ? error.message
        : error instanceof Error
          ? (error.stack ?? error.message)
          : String(error),
    )
    process.exit(error instanceof UsageError ? EXIT.usage : EXIT.failed)
  },
)
