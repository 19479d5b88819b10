import { z } from 'zod'
import { choice, duration, flag, integer } from '../config/index.ts'
import { type Limit, SEVERITIES, STEPS, type Test } from './rule.ts'

/**
 * A rule set as people write it: one schema for the file, HTTP and Node-RED. Conditions are keys of a rule, exactly one of them;
 * an override replaces whole keys (of a ladder: whole steps).
 */

const number = (description: string) => z.number().meta({ description, 'x-type': 'number' })

const ORDER = {
  above: { fits: ({ raise, clear }: Limit) => clear <= raise, words: 'at most' },
  below: { fits: ({ raise, clear }: Limit) => clear >= raise, words: 'at least' },
} as const

/** Says what the value is that does not fit: the message is about several keys, so the value itself is not shown with it. */
const said = <T>(words: (value: T) => string) => ({ error: ({ input }: { input?: unknown }) => words(input as T) })

const misordered = (side: keyof typeof ORDER) =>
  said<Limit>(({ raise, clear }) => `clear to be ${ORDER[side].words} raise (${raise}), not ${clear}`)

/** A level, or two: where the alarm is raised and where it clears. */
const limit = (side: keyof typeof ORDER, description: string) =>
  z
    .union([
      z.number(),
      z.strictObject({
        raise: number('Beyond this the alarm is raised.'),
        clear: number('Back at this it clears; the same as `raise` unless given.').optional(),
      }),
    ])
    .transform(
      (given): Limit =>
        typeof given === 'number'
          ? { raise: given, clear: given }
          : { raise: given.raise, clear: given.clear ?? given.raise },
    )
    .refine(ORDER[side].fits, misordered(side))
    .meta({ description, 'x-type': 'number, or `raise` and `clear`' })

const severity = choice('How urgent it is.', SEVERITIES)

const step = (side: keyof typeof ORDER) =>
  z
    .union([
      z.number(),
      z.strictObject({ raise: z.number(), clear: z.number().optional(), severity: severity.optional() }),
    ])
    .transform((given) =>
      typeof given === 'number'
        ? { raise: given, clear: given, severity: undefined }
        : { raise: given.raise, clear: given.clear ?? given.raise, severity: given.severity },
    )
    .refine(ORDER[side].fits, misordered(side))
    .optional()
    .meta({ description: 'Level of this step, with a severity of its own if it needs one.', 'x-type': 'step' })

const band = (description: string) =>
  z
    .strictObject({
      low: number('Lower end.'),
      high: number('Upper end.'),
      hysteresis: z
        .number()
        .min(0)
        .optional()
        .meta({ description: 'How far beyond an end the value must go before the alarm clears.', 'x-type': 'number' }),
    })
    .refine(
      ({ low, high }) => low < high,
      said<{ low: number; high: number }>(({ low, high }) => `low to be below high (${high}), not ${low}`),
    )
    .meta({ description, 'x-type': 'section' })

interface TestInput {
  all?: TestInput[] | undefined
  any?: TestInput[] | undefined
  not?: TestInput | undefined
  metric?: string | undefined
  above?: unknown
  below?: unknown
  is?: number | boolean | string | undefined
}

const FORMS = ['all', 'any', 'not', 'metric'] as const
const COMPARISONS = ['above', 'below', 'is'] as const

/** Why an object is no test; null when it is one. */
function testFault(given: object): string | null {
  const named = (keys: readonly string[]): string => keys.join(' and ') || 'none'
  const forms = FORMS.filter((key) => Object.hasOwn(given, key))
  const comparisons = COMPARISONS.filter((key) => Object.hasOwn(given, key))
  if (forms.length !== 1) return `exactly one of ${FORMS.join(', ')}, got ${named(forms)}`
  if (forms[0] !== 'metric')
    return comparisons.length === 0 ? null : `above, below and is beside a metric, not beside ${forms[0]}`
  return comparisons.length === 1 ? null : `exactly one of ${COMPARISONS.join(', ')}, got ${named(comparisons)}`
}

// One shape with optional keys, not a union of shapes: the problem of a test deep inside is named, not all that it could have been.
const test: z.ZodType<Test, TestInput> = z.lazy(() =>
  z
    .strictObject({
      all: z.array(test).min(1).optional(),
      any: z.array(test).min(1).optional(),
      not: test.optional(),
      metric: z.string().min(1).optional(),
      above: limit('above', 'Higher than this.').optional(),
      below: limit('below', 'Lower than this.').optional(),
      is: z.union([z.number(), z.boolean(), z.string()]).optional(),
    })
    .transform((given, context): Test => {
      const message = testFault(given)
      if (message === null) return given as Test
      context.addIssue({ code: 'custom', message })
      return z.NEVER
    }),
)

/** The kinds of condition: one key of a rule each. */
export const CONDITIONS = {
  above: limit('above', 'Higher than a level.'),
  below: limit('below', 'Lower than a level.'),
  outside: band('Outside a band.').refine(
    // More, and the value could never be back inside.
    ({ low, high, hysteresis = 0 }) => hysteresis <= high - low,
    said<{ low: number; high: number; hysteresis: number }>(
      ({ low, high, hysteresis }) =>
        `hysteresis to be at most the width of the band (${high - low}), not ${hysteresis}`,
    ),
  ),
  inside: band('Inside a band.'),
  ladder: z
    .strictObject({ lolo: step('below'), lo: step('below'), hi: step('above'), hihi: step('above') })
    .refine((steps) => STEPS.some((name) => steps[name] !== undefined), 'at least one of hihi, hi, lo and lolo')
    .meta({ description: 'Up to four levels as one alarm: HiHi, Hi, Lo, LoLo.', 'x-type': 'section' }),
  rate: z
    .strictObject({
      rise: limit('above', 'Rising faster than this.').optional(),
      fall: limit('above', 'Falling faster than this (a positive number).').optional(),
      per: duration('What the rate is a change in.', { min: 1 }).prefault('1m'),
      over: duration('Measured over this time.', { min: 1 }).prefault('1m'),
    })
    .refine(({ rise, fall }) => rise !== undefined || fall !== undefined, 'rise, fall or both')
    .refine(({ rise, fall }) => [rise, fall].every((one) => one === undefined || one.raise >= 0), {
      error: 'rise and fall to be at least 0: how fast it falls is a positive number too',
    })
    .meta({ description: 'Changing too fast.', 'x-type': 'section' }),
  stuck: z
    .strictObject({
      after: duration('The value has not moved for this long.', { min: 1 }),
      tolerance: z.number().min(0).prefault(0),
    })
    .meta({ description: 'Readings come, but the value does not move.', 'x-type': 'section' }),
  missing: z
    .strictObject({ after: duration('No reading for this long.', { min: 1 }) })
    .meta({ description: 'No readings come.', 'x-type': 'section' }),
  deviation: z
    .strictObject({
      sigmas: limit('above', 'Standard deviations from the running mean.'),
      weight: z.number().gt(0).lt(1).prefault(0.05),
      warmup: integer('Nothing is decided in the first readings.', { min: 2, max: 1_000_000 }).prefault(30),
      floor: z.number().min(0).prefault(0),
    })
    .refine(({ sigmas }) => sigmas.clear >= 0, {
      error: 'sigmas to clear at 0 or more: a deviation is never less, so the alarm could not clear',
    })
    .meta({
      description: 'Far from what it usually is (exponentially weighted mean and variance).',
      'x-type': 'section',
    }),
  when: test.meta({ description: 'A test over several metrics of one device.', 'x-type': 'test' }),
} as const

export type ConditionKind = keyof typeof CONDITIONS
export const CONDITION_KINDS = Object.keys(CONDITIONS) as ConditionKind[]

const conditions = {
  above: CONDITIONS.above.optional(),
  below: CONDITIONS.below.optional(),
  outside: CONDITIONS.outside.optional(),
  inside: CONDITIONS.inside.optional(),
  ladder: CONDITIONS.ladder.optional(),
  rate: CONDITIONS.rate.optional(),
  stuck: CONDITIONS.stuck.optional(),
  missing: CONDITIONS.missing.optional(),
  deviation: CONDITIONS.deviation.optional(),
  when: CONDITIONS.when.optional(),
}

const labels = z.record(z.string(), z.string())

/** What a rule has besides its condition, and what an override may replace. */
const settings = {
  enabled: flag('A rule that is not enabled decides nothing.').optional(),
  severity: severity.optional(),
  message: z
    .string()
    .max(500)
    .optional()
    .meta({ description: 'With {device}, {metric}, {value}, {unit}, {limit}, {condition}, {kind} and {label.NAME}.' }),
  labels: labels.optional(),
  for: duration('The condition must hold this long first (on-delay).').optional(),
  clearFor: duration('It must be gone this long first (off-delay).').optional(),
  of: z
    .strictObject({
      m: integer('This many', { min: 1, max: 64 }),
      n: integer('of the last so many readings.', { min: 1, max: 64 }),
    })
    .refine(
      ({ m, n }) => m <= n,
      said<{ m: number; n: number }>(({ m, n }) => `m to be at most n (${n}), not ${m}`),
    )
    .optional(),
  latch: flag('A cleared alarm stays until somebody resets it.').optional(),
  reraiseAfter: duration('Least time between clearing and raising again.').optional(),
  flood: z
    .strictObject({
      alarms: integer('More than this many alarms of the rule,', { min: 1, max: 1000 }),
      within: duration('raised within this time, are a flood.', { min: 1 }),
    })
    .optional()
    .meta({ description: 'Beginning and end of a flood are told as one event each.', 'x-type': 'section' }),
}

/** Every setting besides the condition, by name. */
export type Setting = keyof typeof settings

/** A flood is one of a whole rule. */
const { flood: _, ...ofSeries } = settings

const override = z.strictObject({
  match: z.strictObject({
    device: z.string().min(1).optional(),
    metric: z.string().min(1).optional(),
    labels: labels.optional(),
  }),
  ...ofSeries,
  ...conditions,
})

export const ruleSchema = z.strictObject({
  id: z
    .string()
    .min(1)
    .max(100)
    // The name of an alarm is the id, `@` and a metric where a rule watches several.
    .refine((id) => !id.includes('@'), "an id without '@'")
    .meta({ description: 'Names the alarm in events and subjects. Stays the same while everything else changes.' }),
  description: z.string().max(2000).optional(),
  match: z.strictObject({
    device: z.string().min(1).prefault('*'),
    metric: z.string().min(1).prefault('*'),
    labels: labels.prefault({}),
  }),
  ...settings,
  ...conditions,
  overrides: z.array(override).prefault([]),
})

export const ruleSetSchema = z.strictObject({
  defaults: z.strictObject(settings).prefault({}),
  lateness: duration(
    'Readings are put in the order of their time if they are at most this late; alarms wait for that.',
    {
      max: 3_600_000,
    },
  ).prefault('0s'),
  rules: z.array(ruleSchema).max(100_000),
})

export type RuleSetInput = z.output<typeof ruleSetSchema>
export type RuleInput = RuleSetInput['rules'][number]
export type OverrideInput = RuleInput['overrides'][number]
export type SettingsInput = RuleSetInput['defaults']
