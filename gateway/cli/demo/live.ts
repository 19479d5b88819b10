import type { Site } from '../../../simulators/site/index.ts'
import { describeError } from '../../../sync/contract/index.ts'
import { pause, type Random } from '../../../sync/runtime/index.ts'
import type { Context } from '../command.ts'
import { describeAlarm, followAlarms } from './alarms.ts'
import { type ChaosKind, makeChaos } from './chaos.ts'
import type { Editor } from './editor.ts'
import { wishFulfiller } from './fulfil.ts'
import { show } from './show.ts'
import { readWishes } from './terminal.ts'
import { makeTrouble } from './trouble.ts'

const HAPPENINGS = 6
const ALARMS = 5

export interface LiveOptions {
  /** How long; until it is stopped unless said. */
  for: number | undefined
  /** Say nothing. */
  quiet: boolean
  trouble: boolean
  chaos: readonly ChaosKind[]
  /** Decides when and what goes wrong. */
  random: Random
  editor: Editor | null
}

/** Shows the site and does what is wished, until the time is over or somebody has seen enough. */
export async function live(site: Site, context: Context, options: LiveOptions): Promise<void> {
  const { clock, signal } = context
  const { quiet, random, editor } = options
  const enough = new AbortController()
  const end = (): void => enough.abort()
  signal.addEventListener('abort', end)
  if (signal.aborted) end()
  const cancel = options.for === undefined ? () => undefined : clock.after(options.for, end)
  const started = clock.monotonic()
  /** The newest of many lines, for the screen; all of them where there is none. */
  const chronicle = (most: number): { lines: string[]; tell: (line: string) => void } => {
    const lines: string[] = []
    return {
      lines,
      tell: (line) => {
        const at = ((clock.monotonic() - started) / 1000).toFixed(1)
        lines.push(`${at.padStart(6)} s  ${line}`)
        if (lines.length > most) lines.shift()
        if (!context.isTTY && !quiet) context.stdout.write(`${lines.at(-1)}\n`)
      },
    }
  }
  const { lines: happenings, tell: happen } = chronicle(HAPPENINGS)
  const { lines: alarms, tell: alarm } = chronicle(ALARMS)
  const dataDirs = site.gateways.map(({ dataDir }) => dataDir)
  const following = quiet
    ? Promise.resolve()
    : followAlarms(dataDirs, clock, enough.signal, (event) => alarm(describeAlarm(event)))
  const keys = context.isTTY && context.stdin.isTTY === true && !quiet
  const wishes = wishFulfiller(site, happen, end)
  const hearing = { keys, gateways: site.gateways.length }
  const stopReading = quiet ? () => undefined : readWishes(context, hearing, wishes.wish)
  const world = { clock, random, signal: enough.signal, tell: happen }
  const wrong = [
    ...(options.trouble ? [makeTrouble(site, clock, random, enough.signal, happen)] : []),
    ...(options.chaos.length > 0 ? [makeChaos(site, options.chaos, world)] : []),
  ].map((happening) => happening.catch((error: unknown) => happen(describeError(error))))
  // The clock's timers alone would let the process end.
  const keepAlive = setInterval(() => {}, 60_000)
  try {
    if (quiet) await pause(clock, options.for ?? Number.POSITIVE_INFINITY, enough.signal)
    else await show(site, context, { started, keys, happenings, alarms, editor }, enough.signal)
    await Promise.all(wrong)
    await following
    await wishes.idle()
  } finally {
    clearInterval(keepAlive)
    cancel()
    stopReading()
    signal.removeEventListener('abort', end)
  }
}
