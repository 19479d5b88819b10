import { UsageError } from '../../../sync/contract/index.ts'

export interface TopicNames {
  device: string
  metric: string
  site?: string
  labels?: Readonly<Record<string, string>>
}

/**
 * Where a reading is published: the first of the gateway's topic templates that can be filled in.
 *
 * @throws UsageError `NAME_UNUSABLE` when a name cannot be a level of an MQTT topic, `TOPIC_NONE_FITS` when no template can be filled in
 */
export function topicFor(templates: readonly string[], { device, metric, site, labels }: TopicNames): string {
  const values: Record<string, string> = { ...labels, device, metric, ...(site === undefined ? {} : { site }) }
  for (const [name, value] of Object.entries(values)) {
    if (value === '' || /[+#/\0]/.test(value)) {
      throw new UsageError('NAME_UNUSABLE', `${name}: expected a text without +, # and /, got '${value}'`)
    }
  }
  for (const template of templates) {
    if (!template.includes('{device}') || !template.includes('{metric}') || /[+#]/.test(template)) continue
    const topic = template.replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole)
    if (!topic.includes('{')) return topic
  }
  const given = Object.keys(values).join(', ')
  throw new UsageError(
    'TOPIC_NONE_FITS',
    `expected a topic template with {device}, {metric} and nothing but ${given} in ${templates.join(', ') || '(none)'}`,
  )
}
