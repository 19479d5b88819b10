/** What a device says of a reading besides. */
interface Counted {
  session?: string
  seq?: number
}

/**
 * Readings of one series in the order in which their device counted them; its sessions in the order in which they came. For gateways whose
 * clocks differ, where nothing else says which of two readings that went to different ones was first.
 */
export function byCounter<R extends Counted>(readings: readonly R[]): R[] {
  const sessions = new Map<string | undefined, number>()
  for (const { session } of readings) if (!sessions.has(session)) sessions.set(session, sessions.size)
  const begun = ({ session }: Counted): number => sessions.get(session) ?? 0
  return readings.toSorted((a, b) => begun(a) - begun(b) || (a.seq ?? 0) - (b.seq ?? 0))
}
