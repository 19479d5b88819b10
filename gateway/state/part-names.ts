/** What the stored parts of the state are: their names tell. */
export type PartKind = 'series' | 'alarms' | 'floods' | 'rules'

export const PART_KINDS: readonly PartKind[] = ['series', 'alarms', 'floods', 'rules']

/** Names of series have two parts (device, metric), those of what the engine keeps three, and the rule sets are one part. */
export function partKind(name: string): PartKind {
  const { length, 0: first } = JSON.parse(name) as unknown[]
  if (length === 3) return first === 'flood' ? 'floods' : 'alarms'
  return length === 1 ? 'rules' : 'series'
}
