import { OperatorError } from '../../../sync/contract/index.ts'
import { MAX_LABELS, MAX_NAME, nameFault, textFault } from './names.ts'
import type { Level, Pattern } from './pattern.ts'

/** When a publish is acknowledged: once it is on this gateway's disk, or on its peers' too. */
export type Durability = 'local' | 'replicated'

/** A template as it stands in the configuration. */
export interface TopicTemplate {
  /**
   * Levels of an MQTT topic: a fixed text; `{device}` (required); `{metric}`; `{site}`, which only this gateway's own site
   * fits; any other `{name}`, which becomes a label; `+` for one level of any text; `#` at the end for the rest.
   */
  readonly template: string
  /** Metric of readings for which neither topic nor payload name one. */
  readonly metric?: string | undefined
  /** Unit of readings whose payload names none. */
  readonly unit?: string | undefined
  /** Labels of every reading of this template. */
  readonly labels?: Readonly<Record<string, string>> | undefined
  /** Of publishes on topics of this template, where it differs from the gateway's. */
  readonly durability?: Durability | undefined
}

/** A template, checked and ready to match. */
export interface CompiledTemplate {
  readonly source: TopicTemplate
  readonly pattern: Pattern
}

/** Longest unit, in UTF-16 units. */
export const MAX_UNIT = 32

const PLACEHOLDER = /^\{([A-Za-z][A-Za-z0-9_-]*)\}$/

/**
 * Checks a template and makes it ready to match.
 *
 * @throws OperatorError `TOPIC_TEMPLATE_EMPTY`, `_SYNTAX`, `_REST_NOT_LAST`, `_DUPLICATE_NAME`, `_NO_DEVICE`, `_SITE`,
 *   `_METRIC`, `_UNIT` or `_LABELS` (each with `TOPIC_TEMPLATE` in front)
 */
export function compileTemplate(source: TopicTemplate, site: string): CompiledTemplate {
  const { template } = source
  if (template === '') throw refuse('EMPTY', template, 'it is empty')
  const parts = template.split('/')
  const rest = parts.at(-1) === '#'
  const named = (rest ? parts.slice(0, -1) : parts).map((part) => parseLevel(template, part))
  const names = placeholders(named)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw refuse('DUPLICATE_NAME', template, `{${twice}} stands in it twice`)
  if (!names.includes('device')) throw refuse('NO_DEVICE', template, 'no level is {device}')
  if (names.includes('site') && /[/+#]|^$/.test(site))
    throw refuse('SITE', template, `the site '${site}' can never be one level of a topic`)
  checkExtras(source, names)
  const levels = named.map((level) =>
    level.kind === 'named' && level.name === 'site' ? ({ kind: 'literal', text: site } as const) : level,
  )
  return { source, pattern: { levels, rest } }
}

/** Names of the levels that become labels. */
export function labelNames(levels: readonly Level[]): string[] {
  return placeholders(levels).filter((name) => !KNOWN.has(name))
}

const KNOWN: ReadonlySet<string> = new Set(['site', 'device', 'metric'])

function placeholders(levels: readonly Level[]): string[] {
  return levels.flatMap((level) => (level.kind === 'named' ? [level.name] : []))
}

function parseLevel(template: string, part: string): Level {
  if (part === '+') return { kind: 'any' }
  if (part === '#') throw refuse('REST_NOT_LAST', template, "'#' is only allowed as the last level")
  const name = PLACEHOLDER.exec(part)?.[1]
  if (name !== undefined) return { kind: 'named', name }
  if (/[{}+#]/.test(part))
    throw refuse(
      'SYNTAX',
      template,
      `'${part}' is neither a fixed text, nor '+', nor one {name} (letters, digits, _, -)`,
    )
  if (part !== '' && textFault(part, 65_535) !== null)
    throw refuse('SYNTAX', template, `a level ${textFault(part, 65_535)}`)
  return { kind: 'literal', text: part }
}

function checkExtras(source: TopicTemplate, names: readonly string[]): void {
  const { template, metric, unit, labels = {} } = source
  if (metric !== undefined && names.includes('metric'))
    throw refuse('METRIC', template, `{metric} names the metric already, so 'metric: ${metric}' would never be used`)
  if (metric !== undefined && nameFault(metric) !== null)
    throw refuse('METRIC', template, `its metric ${nameFault(metric)}`)
  if (unit !== undefined && textFault(unit, MAX_UNIT) !== null)
    throw refuse('UNIT', template, `its unit ${textFault(unit, MAX_UNIT)}`)
  const fixed = Object.keys(labels)
  const free = names.filter((name) => !KNOWN.has(name))
  if (fixed.length + free.length > MAX_LABELS)
    throw refuse('LABELS', template, `it makes ${fixed.length + free.length} labels, more than ${MAX_LABELS}`)
  for (const [key, value] of Object.entries(labels)) {
    if (free.includes(key)) throw refuse('LABELS', template, `label '${key}' is fixed and also a level, {${key}}`)
    const fault = nameFault(key) ?? textFault(value, MAX_NAME)
    if (fault !== null) throw refuse('LABELS', template, `label '${key}' ${fault}`)
  }
  for (const name of free) {
    if (nameFault(name) !== null) throw refuse('SYNTAX', template, `the name of a level ${nameFault(name)}`)
  }
}

function refuse(code: string, template: string, fault: string): OperatorError {
  return new OperatorError(
    `TOPIC_TEMPLATE_${code}`,
    `topic template '${template}': ${fault}. Expected levels as in 'sensors/{device}/{metric}' or '{site}/+/{device}/#'`,
  )
}
