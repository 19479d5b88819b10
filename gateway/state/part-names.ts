/** What the stored parts of the state are: their names tell. */
export type PartKind = 'series' | 'alarms' | 'rules'

export const PART_KINDS: readonly PartKind[] = ['series', 'alarms', 'rules']

/** Names of series have two parts (device, metric), those of groups of alarms three, and the rule sets are one part. */
export function partKind(name: string): PartKind {
  const { length } = JSON.parse(name) as unknown[]
  return length === 3 ? 'alarms' : length === 1 ? 'rules' : 'series'
}
