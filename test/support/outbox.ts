import { Outbox, type OutboxEvents, type OutboxSettings } from '../../gateway/outbox/index.ts'
import type { Disk } from '../../gateway/ports/index.ts'
import { StateMachine } from '../../gateway/state/index.ts'
import { encodeLine, type Reading } from '../../sync/contract/index.ts'
import { type Clock, type Random, systemClock, systemRandom } from '../../sync/runtime/index.ts'

export const OUTBOX_SETTINGS: OutboxSettings = {
  maxBytes: 1e9,
  maxAge: Number.POSITIVE_INFINITY,
  whenFull: 'reject',
  retainAcked: { bytes: 1e8, age: 3_600_000 },
  block: { maxRecords: 4096, maxBytes: 256 * 1024, spacing: 0 },
  minFree: 0,
  reserve: 0,
  compression: true,
}

export interface TestOutbox {
  outbox: Outbox
  machine: StateMachine
  /** What the outbox said, in words. */
  said: string[]
  /** Stores the reading unless it is a repeat; resolves with whether it was new when it is durable. */
  put(reading: Reading, dup?: boolean): Promise<boolean>
}

export async function openOutbox(options: {
  disk: Disk
  dir: string
  settings?: Partial<OutboxSettings>
  owner?: { site: string; gateway: string }
  clock?: Clock
  random?: Random
  dedupeWindow?: number
  maxSeries?: number
}): Promise<TestOutbox> {
  const said: string[] = []
  const events: OutboxEvents = {
    damaged: (lane, gap) => said.push(`damaged ${lane} ${gap.from}-${gap.to}`),
    evicted: (lane, records) => said.push(`evicted ${lane} ${records}`),
    failed: (error) => said.push(`failed ${error instanceof Error ? error.message : String(error)}`),
    recovered: () => said.push('recovered'),
    repaired: () => said.push('repaired'),
    full: (reason) => said.push(`full ${reason}`),
    epochStarted: () => said.push('epoch'),
  }
  const machine = new StateMachine({
    dedupeWindow: options.dedupeWindow ?? 256,
    maxSeries: options.maxSeries ?? 100_000,
    gateway: 'gw',
  })
  const outbox = await Outbox.open({
    disk: options.disk,
    dir: options.dir,
    owner: options.owner ?? { site: 'site', gateway: 'gw' },
    settings: { ...OUTBOX_SETTINGS, ...options.settings },
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
    keeper: machine,
    events,
  })
  const put = (reading: Reading, dup = false): Promise<boolean> =>
    new Promise((resolve, reject) => {
      if (!outbox.accepting) {
        reject(outbox.refusal())
        return
      }
      const fresh = !machine.isRepeat(reading, dup)
      if (fresh) machine.apply(reading, outbox.append('readings', encodeLine(reading)))
      outbox.whenDurable((error) => (error ? reject(error) : resolve(fresh)))
    })
  return { outbox, machine, said, put }
}

export function reading(seq: number, extra: Partial<Reading> = {}): Reading {
  return {
    device: 'd1',
    metric: 'temp',
    value: seq / 2,
    time: 1_700_000_000_000 + seq,
    received: 1_700_000_000_000 + seq,
    seq,
    ...extra,
  }
}
