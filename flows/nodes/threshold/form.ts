import { UsageError } from '../../../sync/contract/index.ts'
import type { RuleDraft } from '../shared/index.ts'

/** The node as its editor form leaves it. Everything is text: that is what forms hold. */
export interface ThresholdForm {
  id: string
  name?: string
  ruleId?: string
  device?: string
  metric?: string
  /** `line=a, hall=north*` */
  labels?: string
  kind?: string
  raise?: string
  clear?: string
  low?: string
  high?: string
  hysteresis?: string
  hihi?: string
  hi?: string
  lo?: string
  lolo?: string
  rise?: string
  fall?: string
  per?: string
  over?: string
  after?: string
  tolerance?: string
  sigmas?: string
  /** JSON: a test over several metrics. */
  test?: string
  severity?: string
  for?: string
  clearFor?: string
  ofM?: string
  ofN?: string
  latch?: boolean
  message?: string
  /** JSON: keys of a rule that have no field here. */
  more?: string
}

/** The kinds of condition that a rule can have: one of them is a key of the rule. */
export const KINDS = [
  ...['above', 'below', 'outside', 'inside', 'ladder', 'rate', 'stuck', 'missing', 'deviation', 'when'],
] as const

/** The rule's name, which names its alarms too: given, or the node's name, or its id. */
export const ruleIdOf = ({ id, name, ruleId }: ThresholdForm): string => trimmed(ruleId) ?? trimmed(name) ?? id

/**
 * The rule that a form describes. What is left empty is left out: the gateway's defaults hold.
 *
 * @throws UsageError `FORM_INVALID`: names the field, what was expected and what came
 */
export function ruleOf(form: ThresholdForm): RuleDraft {
  const kind = trimmed(form.kind) ?? 'above'
  return withoutNothing({
    id: ruleIdOf(form),
    match: withoutNothing({
      device: trimmed(form.device),
      metric: trimmed(form.metric),
      labels: labelsOf(form.labels),
    }),
    [kind]: conditionOf(kind, form),
    severity: trimmed(form.severity),
    for: trimmed(form.for),
    clearFor: trimmed(form.clearFor),
    of: mOfN(form),
    latch: form.latch === true ? true : undefined,
    message: trimmed(form.message),
    ...jsonObject('more', form.more),
  }) as RuleDraft
}

function conditionOf(kind: string, form: ThresholdForm): unknown {
  switch (kind) {
    case 'above':
    case 'below':
      return limit('raise', form.raise, number('clear', form.clear))
    case 'outside':
    case 'inside':
      return withoutNothing({
        low: needed('low', form.low),
        high: needed('high', form.high),
        hysteresis: number('hysteresis', form.hysteresis),
      })
    case 'ladder':
      return ladder(form)
    case 'rate':
      return withoutNothing({
        rise: number('rise', form.rise),
        fall: number('fall', form.fall),
        per: trimmed(form.per),
        over: trimmed(form.over),
      })
    case 'stuck':
      return withoutNothing({ after: neededText('after', form.after), tolerance: number('tolerance', form.tolerance) })
    case 'missing':
      return { after: neededText('after', form.after) }
    case 'deviation':
      return { sigmas: limit('sigmas', form.sigmas, number('clear', form.clear)) }
    case 'when':
      return jsonValue('test', neededText('test', form.test))
    default:
      throw invalid('kind', `one of ${KINDS.join(', ')}`, kind)
  }
}

const limit = (field: string, raise: string | undefined, clear: number | undefined): unknown =>
  clear === undefined ? needed(field, raise) : { raise: needed(field, raise), clear }

/** One hysteresis for all steps: upper ones clear so much below, lower ones so much above. */
function ladder(form: ThresholdForm): unknown {
  const hysteresis = number('hysteresis', form.hysteresis) ?? 0
  const step = (field: 'hihi' | 'hi' | 'lo' | 'lolo', back: number): unknown => {
    const raise = number(field, form[field])
    return raise === undefined || hysteresis === 0 ? raise : { raise, clear: raise + back }
  }
  return withoutNothing({
    lolo: step('lolo', hysteresis),
    lo: step('lo', hysteresis),
    hi: step('hi', -hysteresis),
    hihi: step('hihi', -hysteresis),
  })
}

function mOfN({ ofM, ofN }: ThresholdForm): unknown {
  const m = number('of (m)', ofM)
  const n = number('of (n)', ofN)
  if (m === undefined && n === undefined) return undefined
  return { m: m ?? needed('of (m)', ofM), n: n ?? needed('of (n)', ofN) }
}

function labelsOf(text: string | undefined): Record<string, string> | undefined {
  const pairs = (text ?? '').split(',').filter((pair) => pair.trim() !== '')
  if (pairs.length === 0) return undefined
  return Object.fromEntries(
    pairs.map((pair) => {
      const [name = '', ...value] = pair.split('=').map((part) => part.trim())
      if (name === '' || value.length === 0) throw invalid('labels', 'name=pattern, name=pattern, ...', pair.trim())
      return [name, value.join('=')]
    }),
  )
}

function needed(field: string, text: string | undefined): number {
  const value = number(field, text)
  if (value === undefined) throw invalid(field, 'a number', 'nothing')
  return value
}

function number(field: string, text: string | number | undefined): number | undefined {
  const given = trimmed(text === undefined ? undefined : String(text))
  if (given === undefined) return undefined
  const value = Number(given)
  if (!Number.isFinite(value)) throw invalid(field, 'a number', given)
  return value
}

function neededText(field: string, text: string | undefined): string {
  const given = trimmed(text)
  if (given === undefined) throw invalid(field, 'something', 'nothing')
  return given
}

function jsonObject(field: string, text: string | undefined): Record<string, unknown> {
  if (trimmed(text) === undefined) return {}
  const value = jsonValue(field, text ?? '')
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(field, 'a JSON object', text ?? '')
  }
  return value as Record<string, unknown>
}

function jsonValue(field: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalid(field, 'JSON', text)
  }
}

const trimmed = (text: string | undefined): string | undefined => {
  const given = text?.trim()
  return given === '' ? undefined : given
}

const withoutNothing = (object: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))

const invalid = (field: string, expected: string, got: string): UsageError =>
  new UsageError('FORM_INVALID', `${field}: expected ${expected}, got ${got === 'nothing' ? got : `'${got}'`}`)
