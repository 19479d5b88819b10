/** What the stored parts of the state are: their names tell. */
export type PartKind = 'series' | 'alarms' | 'floods' | 'rules' | 'failover'

export const PART_KINDS: readonly PartKind[] = ['series', 'alarms', 'floods', 'rules', 'failover']

/**
 * Names of series have two parts (device, metric), those of what the engine keeps three; of the rule sets, and of what was told of
 * failover, there is one each.
 */
export function partKind(name: string): PartKind {
  const { length, 0: first } = JSON.parse(name) as unknown[]
  if (length === 3) return first === 'flood' ? 'floods' : 'alarms'
  if (length === 1) return first === 'failover' ? 'failover' : 'rules'
  return 'series'
}
