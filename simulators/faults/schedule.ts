import type { Millis } from '../../sync/contract/index.ts'
import { type Clock, pause, seededRandom, systemClock } from '../../sync/runtime/index.ts'
import type { Fault } from './fault.ts'
import type { FaultProxy, Release } from './proxy.ts'

/** One thing that goes wrong: when (since the schedule began), what, and for how long. A `reset` is over at once. */
export interface ScheduledFault {
  at: Millis
  fault: Fault | { kind: 'reset' }
  /** Until the end of the schedule when absent. */
  for?: Millis
}

export type FaultSchedule = readonly ScheduledFault[]

export interface RunScheduleOptions {
  clock?: Clock
  signal?: AbortSignal
  onChange?: (change: { at: Millis; what: 'begins' | 'ends'; fault: ScheduledFault['fault'] }) => void
}

/** Plays a schedule; when it is over, or `signal` aborts, every fault of it is released. Resolves then. */
export async function runSchedule(
  proxy: FaultProxy,
  schedule: FaultSchedule,
  options: RunScheduleOptions = {},
): Promise<void> {
  const { clock = systemClock, signal, onChange } = options
  const begin = clock.monotonic()
  const releases = new Map<ScheduledFault, Release>()
  try {
    for (const { at, what, entry } of moments(schedule)) {
      await pause(clock, Math.max(0, begin + at - clock.monotonic()), signal)
      if (signal?.aborted) return
      if (what === 'ends') await releases.get(entry)?.()
      else if (entry.fault.kind === 'reset') proxy.reset()
      else releases.set(entry, await proxy.inject(entry.fault))
      onChange?.({ at, what, fault: entry.fault })
    }
  } finally {
    for (const release of releases.values()) await release()
  }
}

interface Moment {
  at: Millis
  what: 'begins' | 'ends'
  entry: ScheduledFault
}

function moments(schedule: FaultSchedule): Moment[] {
  const all = schedule.flatMap((entry): Moment[] => [
    { at: entry.at, what: 'begins', entry },
    ...(entry.for === undefined || entry.fault.kind === 'reset'
      ? []
      : [{ at: entry.at + entry.for, what: 'ends' as const, entry }]),
  ])
  return all.sort((a, b) => a.at - b.at)
}

export interface RandomScheduleOptions {
  seed: number
  duration: Millis
  /** What may happen; each as likely as the others. */
  faults: readonly ScheduledFault['fault'][]
  /** Shortest and longest time that all is well between two faults. */
  healthy: readonly [Millis, Millis]
  /** Shortest and longest time that a fault lasts. */
  broken: readonly [Millis, Millis]
}

/** One fault after the other, drawn from a seed; all over before `duration` ends. */
export function randomSchedule({ seed, duration, faults, healthy, broken }: RandomScheduleOptions): FaultSchedule {
  const random = seededRandom(seed)
  const between = ([least, most]: readonly [Millis, Millis]): Millis =>
    Math.round(least + (most - least) * random.next())
  const schedule: ScheduledFault[] = []
  for (let at = between(healthy); at < duration; at += between(healthy)) {
    const fault = faults[Math.floor(random.next() * faults.length)]
    const lasting = Math.min(between(broken), duration - at)
    if (fault === undefined) break
    schedule.push({ at, fault, for: lasting })
    at += lasting
  }
  return schedule
}
