import { z } from 'zod'
import { choice, duration, flag, integer } from '../config/fields.ts'
import { type Limit, SEVERITIES, STEPS } from './rule.ts'

/**
 * A rule set as people write it: one schema for the file, HTTP and Node-RED. Conditions are keys of a rule, exactly one of them;
 * an override replaces whole keys (of a ladder: whole steps).
 */

const number = (description: string) => z.number().meta({ description, 'x-type': 'number' })

const ORDER = {
  above: { fits: (limit: Limit) => limit.clear <= limit.raise, text: 'clear must not be above raise' },
  below: { fits: (limit: Limit) => limit.clear >= limit.raise, text: 'clear must not be below raise' },
} as const

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
    .refine(ORDER[side].fits, ORDER[side].text)
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
    .refine(ORDER[side].fits, ORDER[side].text)
    .optional()
    .meta({ description: 'Level of this step, with a severity of its own if it needs one.', 'x-type': 'step' })

const band = (description: string) =>
  z
    .strictObject({ low: number('Lower end.'), high: number('Upper end.'), hysteresis: z.number().min(0).optional() })
    .refine(({ low, high }) => low < high, 'low must be below high')
    .meta({ description, 'x-type': 'section' })

type TestInput =
  | { all: TestInput[] }
  | { any: TestInput[] }
  | { not: TestInput }
  | { metric: string; above: unknown }
  | { metric: string; below: unknown }
  | { metric: string; is: number | boolean | string }

const test: z.ZodType<import('./rule.ts').Test, TestInput> = z.lazy(() =>
  z.union([
    z.strictObject({ all: z.array(test).min(1) }),
    z.strictObject({ any: z.array(test).min(1) }),
    z.strictObject({ not: test }),
    z.strictObject({ metric: z.string().min(1), above: limit('above', 'Higher than this.') }),
    z.strictObject({ metric: z.string().min(1), below: limit('below', 'Lower than this.') }),
    z.strictObject({ metric: z.string().min(1), is: z.union([z.number(), z.boolean(), z.string()]) }),
  ]),
) as never

/** The kinds of condition: one key of a rule each. */
export const CONDITIONS = {
  above: limit('above', 'Higher than a level.'),
  below: limit('below', 'Lower than a level.'),
  outside: band('Outside a band.'),
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
    .meta({
      description: 'Far from what it usually is (exponentially weighted mean and variance).',
      'x-type': 'section',
    }),
  when: test.meta({ description: 'A test over several metrics of one device.', 'x-type': 'test' }),
} as const

export const CONDITION_KINDS = Object.keys(CONDITIONS) as (keyof typeof CONDITIONS)[]

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
    .meta({ description: 'With {device}, {metric}, {value}, {unit}, {limit}, {condition} and {label.NAME}.' }),
  labels: labels.optional(),
  for: duration('The condition must hold this long first (on-delay).').optional(),
  clearFor: duration('It must be gone this long first (off-delay).').optional(),
  of: z
    .strictObject({
      m: integer('This many', { min: 1, max: 64 }),
      n: integer('of the last so many readings.', { min: 1, max: 64 }),
    })
    .refine(({ m, n }) => m <= n, 'm must not be more than n')
    .optional(),
  latch: flag('A cleared alarm stays until somebody resets it.').optional(),
  reraiseAfter: duration('Least time between clearing and raising again.').optional(),
}

const override = z.strictObject({
  match: z.strictObject({
    device: z.string().min(1).optional(),
    metric: z.string().min(1).optional(),
    labels: labels.optional(),
  }),
  ...settings,
  ...conditions,
})

const rule = z.strictObject({
  id: z
    .string()
    .min(1)
    .max(100)
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
  rules: z.array(rule).max(100_000),
})

export type RuleSetInput = z.output<typeof ruleSetSchema>
export type RuleInput = RuleSetInput['rules'][number]
export type OverrideInput = RuleInput['overrides'][number]
export type SettingsInput = RuleSetInput['defaults']
