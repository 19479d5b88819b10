import { type LineParts, lineParts } from '../../../sync/contract/index.ts'
import { type LineBytes, lineBytes } from './line-bytes.ts'
import { MAX_NAME, nameFault, textFault } from './names.ts'
import { type CompiledTemplate, type Durability, labelNames } from './template.ts'

/** Why no message on a topic can become a reading. */
export interface TopicProblem {
  code: 'DEVICE_INVALID' | 'METRIC_INVALID' | 'LABELS_INVALID'
  reason: string
}

/** What a topic says about the readings published on it. Computed once a topic, shared by all its readings. */
export interface TopicMatch {
  readonly device: string
  /** Metric of a value for which the payload names none: from the topic, else the template's own; null if neither. */
  readonly metric: string | null
  /** The metric that the topic names: names in the payload are put under it, `<scope>.<name>`. */
  readonly scope: string | null
  readonly unit: string | null
  /** Frozen; null when the topic gives none. */
  readonly labels: Readonly<Record<string, string>> | null
  /** For `encodeLine` of the topic's readings. */
  readonly line: LineParts
  /** The same as bytes; null when the topic names no metric, or cannot be a reading. */
  readonly bytes: LineBytes | null
  readonly problem: TopicProblem | null
  /** What the template says of it; undefined where the gateway's own setting holds. */
  readonly durability?: Durability | undefined
}

/** Reads a topic that is known to match the template. */
export function readMatch(template: CompiledTemplate, topic: readonly string[]): TopicMatch {
  const { source, pattern } = template
  const at = (name: string): string | null => {
    const level = pattern.levels.findIndex((candidate) => candidate.kind === 'named' && candidate.name === name)
    return topic[level] ?? null
  }
  const device = at('device') ?? ''
  const scope = at('metric')
  const metric = scope ?? source.metric ?? null
  const free = labelNames(pattern.levels).map((name) => [name, at(name) ?? ''] as const)
  const entries = [...Object.entries(source.labels ?? {}), ...free]
  const labels = entries.length > 0 ? Object.freeze(Object.fromEntries(entries)) : null
  const unit = source.unit ?? null
  const problem = findProblem(device, scope, free)
  return {
    device,
    metric,
    scope,
    unit,
    labels,
    line: lineParts(device, metric, labels),
    bytes: metric === null || problem !== null ? null : lineBytes(device, metric, unit, labels),
    problem,
    durability: source.durability,
  }
}

function findProblem(
  device: string,
  scope: string | null,
  labels: ReadonlyArray<readonly [name: string, value: string]>,
): TopicProblem | null {
  const deviceFault = nameFault(device)
  if (deviceFault !== null)
    return { code: 'DEVICE_INVALID', reason: `the name of the device, taken from the topic, ${deviceFault}` }
  const metricFault = scope === null ? null : nameFault(scope)
  if (metricFault !== null)
    return { code: 'METRIC_INVALID', reason: `the name of the metric, taken from the topic, ${metricFault}` }
  for (const [name, value] of labels) {
    const fault = textFault(value, MAX_NAME)
    if (fault !== null) return { code: 'LABELS_INVALID', reason: `the label '${name}', taken from the topic, ${fault}` }
  }
  return null
}
