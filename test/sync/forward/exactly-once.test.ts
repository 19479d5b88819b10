import { describe, expect, it } from 'vitest'
import { MemoryDisk } from '../../../gateway/ports/index.ts'
import { decodeLine, encodeLine, STREAMS } from '../../../sync/contract/index.ts'
import {
  decodePackBody,
  decodePackFacts,
  type ForwardEvents,
  Forwarder,
  type ForwarderSettings,
} from '../../../sync/forward/index.ts'
import { NO_FAULTS, SimulatedCentre } from '../../../sync/link/index.ts'
import { streamPlans } from '../../../sync/provision/index.ts'
import { SimulatedClock, seededRandom } from '../../../sync/runtime/index.ts'
import { openOutbox, reading, type TestOutbox } from '../../support/outbox.ts'

const SETTINGS: ForwarderSettings = {
  site: 'site',
  gateway: 'gw',
  pack: { minBytes: 500, maxBytes: 4000, target: 200, compress: 'none', linger: 5, ackTimeout: 1000 },
  pace: { bytesPerSecond: Number.POSITIVE_INFINITY, packsPerSecond: Number.POSITIVE_INFINITY, jitter: 20 },
  breaker: { failures: 5, cooldown: 500 },
  retry: { min: 20, max: 300 },
  stallAfter: 10_000,
  provision: streamPlans({ replicas: 1, storage: 'memory', maxBytes: -1, maxAge: 0 }),
}

/** One gateway and its centre in simulated time, driven by a seed. */
async function live(
  seed: number,
  steps: number,
): Promise<{ log: string[]; acked: number[]; stored: number[]; said: string[] }> {
  const random = seededRandom(seed)
  const clock = new SimulatedClock()
  const disk = new MemoryDisk()
  const centre = new SimulatedCentre(clock, seededRandom(seed + 1))
  const log: string[] = []
  const acked = new Set<number>()
  const unacked = new Set<number>()
  let next = 1
  let gateway: { box: TestOutbox; forwarder: Forwarder } | null = null
  const said: string[] = []

  const start = async (): Promise<void> => {
    const box = await openOutbox({ disk, dir: '/data', clock, random })
    const forwarder = new Forwarder({
      dialer: centre,
      lane: (lane) => box.outbox.lane(lane),
      latest: () => [...box.machine.lastReadings()].map((last) => encodeLine(last)),
      settings: SETTINGS,
      clock,
      random,
      events: silent,
    })
    forwarder.start()
    gateway = { box, forwarder }
  }
  const publish = (seq: number): void => {
    unacked.add(seq)
    gateway?.box.put(reading(seq)).then(
      () => {
        acked.add(seq)
        unacked.delete(seq)
      },
      () => undefined,
    )
  }
  await start()

  for (let step = 0; step < steps; step++) {
    const dice = random.next()
    if (dice < 0.55) {
      for (let n = Math.floor(random.next() * 20); n >= 0; n--) publish(next++)
      // A device that got no answer says it again.
      for (const seq of [...unacked].slice(0, 3)) publish(seq)
      await clock.advance(random.next() * 50)
    } else if (dice < 0.65) await clock.advance(random.next() * 2000)
    else if (dice < 0.75) {
      log.push('faults')
      centre.faults = {
        loseRequest: random.next() * 0.3,
        loseAnswer: random.next() * 0.3,
        disconnect: random.next() * 0.2,
        staleRead: random.next() * 0.3,
      }
    } else if (dice < 0.8) centre.faults = NO_FAULTS
    else if (dice < 0.85) {
      log.push('cut')
      centre.cut()
    } else if (dice < 0.9) centre.heal()
    else if (dice < 0.95) {
      log.push('power cut')
      disk.powerCut()
      const { box, forwarder } = gateway as unknown as { box: TestOutbox; forwarder: Forwarder }
      let stopped = false
      void Promise.allSettled([forwarder.stop(), box.outbox.close()]).then(() => {
        stopped = true
      })
      await clock.runUntil(() => stopped, 60_000)
      await start()
    } else if (dice < 0.98) {
      log.push('forget')
      centre.forget(STREAMS.readings, 1 + Math.floor(random.next() * 4))
    } else {
      log.push('wipe')
      centre.wipe(STREAMS.readings)
    }
  }

  centre.faults = NO_FAULTS
  centre.heal()
  // Devices repeat what was never answered until it is.
  for (const seq of [...unacked]) publish(seq)
  const box = (gateway as unknown as { box: TestOutbox }).box
  await clock.runUntil(() => unacked.size === 0, 60_000)
  await clock.runUntil(() => box.outbox.status().lanes.readings.pending === 0, 300_000)
  // An idle gateway looks at the stream now and then: what the centre forgot last is healed too.
  await clock.advance(40_000)
  await clock.runUntil(() => box.outbox.status().lanes.readings.pending === 0, 300_000)
  let stopped = false
  const { forwarder } = gateway as unknown as { forwarder: Forwarder }
  void forwarder.stop().then(() => {
    stopped = true
  })
  await clock.runUntil(() => stopped, 60_000)

  const stored: number[] = []
  let end: number | null = null
  for (const message of centre.messages(STREAMS.readings)) {
    const facts = decodePackFacts((name) => message.headers.get(name))
    if (end !== null) expect(facts.from).toBe(end)
    end = facts.to + 1
    for (const line of await decodePackBody(facts, message.body, undefined)) stored.push(decodeLine(line).seq ?? -1)
  }
  return { log, acked: [...acked], stored, said }
}

const silent: ForwardEvents = {
  linkUp() {},
  linkDown() {},
  stored() {},
  rewound() {},
  declared() {},
  rival() {},
  stoodDown() {},
  troubled() {},
}

const SEEDS = Number(process.env['TEST_SEEDS'] ?? 40)

describe('forwarding under faults', () => {
  it.each(Array.from({ length: SEEDS }, (_, i) => i + 1))(
    'stores every acknowledged reading exactly once (seed %i)',
    async (seed) => {
      const { acked, stored } = await live(seed, 60)
      expect(acked.length).toBeGreaterThan(50)
      const counts = new Map<number, number>()
      for (const seq of stored) counts.set(seq, (counts.get(seq) ?? 0) + 1)
      expect(acked.filter((seq) => !counts.has(seq))).toEqual([])
      expect([...counts].filter(([, count]) => count > 1)).toEqual([])
    },
  )
})
