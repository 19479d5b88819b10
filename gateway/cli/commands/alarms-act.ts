import { type ThresholdEvent, TidegateError } from '../../../sync/contract/index.ts'
import type { AlarmInfo } from '../../alarms/index.ts'
import { apiClient } from '../api/index.ts'
import { type Command, type Context, defineCommand, EXIT } from '../command.ts'
import { configOption } from '../config-file.ts'
import { dataOption } from '../data-dir.ts'
import { duration, flag, text } from '../option.ts'
import { printable } from '../terminal-text.ts'

const COMMON = {
  config: configOption,
  data: dataOption,
  by: text('NAME', 'Who does it [USER]'),
  comment: text('TEXT', 'Why.'),
  json: flag('Print the event that tells of it as one JSON object; of several alarms one a line.'),
}

interface Act {
  /** What is typed: `tidegate alarms WORD`. */
  word: string
  /** What the API calls it; the same unless said. */
  action?: string
  summary: string
  description: string
}

const ACTS: readonly Act[] = [
  {
    word: 'acknowledge',
    summary: 'Say that an alarm was seen.',
    description:
      'An alarm that has cleared meanwhile goes back to normal; one that latches waits for `tidegate alarms reset`.',
  },
  {
    word: 'reset',
    summary: 'Set back an alarm that latches and has cleared.',
    description: 'Whoever resets it has seen it: it need not be acknowledged first.',
  },
  {
    word: 'unshelve',
    summary: 'Take an alarm from the shelf before its time.',
    description: 'It is again whatever its readings have made of it meanwhile.',
  },
  {
    word: 'suppress',
    summary: 'Silence an alarm until it is unsuppressed, e.g. while its machine stands still.',
    description:
      'Its readings are followed, but nobody is told. Meant for programs that know the state of the plant; people shelve.',
  },
  {
    word: 'unsuppress',
    summary: 'End the suppression of an alarm.',
    description: 'It is again whatever its readings have made of it meanwhile.',
  },
  {
    word: 'remove',
    action: 'removeFromService',
    summary: 'Take an alarm out of service, e.g. while its sensor is repaired.',
    description: 'Nobody is told of it until `tidegate alarms return`, however long that takes.',
  },
  {
    word: 'return',
    action: 'returnToService',
    summary: 'Put an alarm back into service.',
    description: 'It is again whatever its readings have made of it meanwhile.',
  },
]

const OF_SEVERAL =
  'With * in DEVICE or RULE it is done to every alarm that fits and to which it can be done. It is on disk when this ends.'

const OPERANDS = { min: 2, max: 2 }
const EXIT_CODES = {
  1: 'there is no such alarm, or that cannot be done in its state',
  3: 'no gateway runs there',
}

/** One command for each thing that can be done to an alarm. */
export const ALARM_ACTS: readonly Command[] = ACTS.map(({ word, action = word, summary, description }) =>
  defineCommand({
    name: `alarms ${word}`,
    summary,
    usage: 'DEVICE RULE [--config FILE | --data DIR] [--by NAME] [--comment TEXT] [--json]',
    description: `${description} ${OF_SEVERAL}`,
    options: COMMON,
    operands: OPERANDS,
    examples: [
      { command: `tidegate alarms ${word} press-4 overheat --comment 'bearing, see log book'`, effect: summary },
    ],
    exitCodes: EXIT_CODES,
    run: (context, { options, operands }) => act(context, options, operands, { action }),
  }),
)

export const alarmsShelve = defineCommand({
  name: 'alarms shelve',
  summary: 'Silence an alarm for a while.',
  usage: 'DEVICE RULE [--for DURATION] [--config FILE | --data DIR] [--by NAME] [--comment TEXT] [--json]',
  description: `Its readings are followed, but nobody is told until the time is over or it is unshelved. ${OF_SEVERAL}`,
  options: { ...COMMON, for: duration('How long.', '1h') },
  operands: OPERANDS,
  examples: [
    {
      command: 'tidegate alarms shelve press-4 overheat --for 2h --comment "waiting for the part"',
      effect: 'two hours of quiet',
    },
  ],
  exitCodes: EXIT_CODES,
  run: (context, { options, operands }) =>
    act(context, options, operands, { action: 'shelve', for: `${options.for}ms` }),
})

interface ActOptions {
  config: string | undefined
  data: string | undefined
  by: string | undefined
  comment: string | undefined
  json: boolean
}

interface What {
  action: string
  for?: string
}

async function act(
  context: Context,
  options: ActOptions,
  [device = '', rule = '']: readonly string[],
  what: What,
): Promise<number> {
  const client = await apiClient(options, context)
  const note = { by: options.by ?? (context.env['USER'] || undefined), comment: options.comment }
  const one = async (of: { device: string; rule: string }): Promise<void> => {
    const body = { device: of.device, rule: of.rule, ...what, ...note }
    const { value } = await client.request<ThresholdEvent>({ method: 'POST', path: '/alarms/act', body })
    context.stdout.write(options.json ? `${JSON.stringify(value)}\n` : `${told(value)}\n`)
  }
  if (![device, rule].some((name) => name.includes('*'))) {
    await one({ device, rule })
    return EXIT.ok
  }
  const state = SILENCING.has(what.action) ? 'all' : undefined
  const { value: found } = await client.request<AlarmInfo[]>({ path: '/alarms', query: { device, rule, state } })
  let done = 0
  for (const alarm of found)
    try {
      await one(alarm)
      done++
    } catch (error) {
      // Of many, those are meant to which it can be done.
      if (!(error instanceof TidegateError) || error.code !== 'ALARM_ACTION_REFUSED') throw error
    }
  if (done === 0 && !options.json) context.stdout.write('there is no alarm to which that can be done\n')
  return done === 0 ? EXIT.failed : EXIT.ok
}

/** What is done to alarms that are normal, too. */
const SILENCING: ReadonlySet<string> = new Set(['shelve', 'suppress', 'removeFromService'])

function told({ device, rule, data }: ThresholdEvent): string {
  const { before, after } = data['state'] as { before: string; after: string }
  const until = data['until']
  const end = typeof until === 'number' ? ` until ${new Date(until).toISOString()}` : ''
  return printable(`${device} ${rule}: was ${before}, is ${after}${end}`)
}
