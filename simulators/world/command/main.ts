import { describeError, UsageError } from '../../../sync/contract/index.ts'
import { type Arguments, readArguments, USAGE } from './arguments.ts'
import { employ } from './crew.ts'
import { Progress } from './progress.ts'
import { type Report, reportOn } from './report.ts'
import { replayCommand, worldOf } from './schedule.ts'

const EXIT = { clean: 0, found: 1, usage: 2, interrupted: 130 } as const
/** Findings of one kind that are printed for a seed. */
const SHOWN = 3

async function main(): Promise<number> {
  const wanted = readArguments(process.argv.slice(2))
  if (wanted.help) {
    process.stdout.write(USAGE)
    return EXIT.clean
  }
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => controller.abort())
  const progress = new Progress(wanted.seeds)
  const failures: Report[] = []
  const done = (reports: readonly Report[]): boolean => {
    for (const report of reports) {
      if (Object.keys(report.findings).length === 0) continue
      failures.push(report)
      tell(report, wanted)
    }
    progress.count(reports)
    return failures.length < wanted.maxFailures && !controller.signal.aborted
  }
  if (wanted.verbose || wanted.seeds === 1) await oneByOne(wanted, done)
  else await employ({ ...wanted, wish: wanted, done, signal: controller.signal })

  const summary = progress.summary()
  if (wanted.json) process.stdout.write(`${JSON.stringify(summary)}\n`)
  else {
    const { seeds, readings, simulatedHours, seconds } = summary
    process.stdout.write(
      `${failures.length} of ${seeds} seeds with findings; ${readings} readings, ${simulatedHours} simulated hours in ${seconds} s\n`,
    )
  }
  if (controller.signal.aborted) return EXIT.interrupted
  return failures.length > 0 ? EXIT.found : EXIT.clean
}

/** In this process, and with what happens, if that is wanted. */
async function oneByOne(wanted: Arguments, done: (reports: readonly Report[]) => boolean): Promise<void> {
  const { from, seeds, verbose, json } = wanted
  for (let seed = from; seed < from + seeds; seed++) {
    const world = worldOf(seed, wanted)
    if (verbose) {
      const { gateways, devices, durability } = world
      say(json, `seed ${seed}: ${gateways} gateways, ${devices} devices, ${durability}`)
      world.log = (line) => say(json, line)
    }
    if (!done([await reportOn(world)])) return
    await new Promise((resolve) => setImmediate(resolve))
  }
}

function tell(report: Report, wanted: Arguments): void {
  const replay = replayCommand(report.seed, wanted)
  if (wanted.json) {
    process.stdout.write(`${JSON.stringify({ ...report, replay })}\n`)
    return
  }
  process.stdout.write(`seed ${report.seed}\n`)
  for (const [kind, list] of Object.entries(report.findings)) {
    for (const text of list.slice(0, SHOWN)) process.stdout.write(`  ${kind}: ${text}\n`)
    if (list.length > SHOWN) process.stdout.write(`  ${kind}: and ${list.length - SHOWN} more\n`)
  }
  process.stdout.write(`  ${replay}\n`)
}

/** Standard output belongs to the JSON, if there is any. */
const say = (json: boolean, line: string): void => {
  const out = json ? process.stderr : process.stdout
  out.write(`${line}\n`)
}

main().then(
  (code) => process.stdout.write('', () => process.exit(code)),
  (error: unknown) => {
    const isUsage = error instanceof UsageError
    process.stderr.write(`${isUsage ? error.message : describeError(error)}\n`)
    process.exit(isUsage ? EXIT.usage : EXIT.found)
  },
)
