import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Change, type Delays, dueAt, freshTiming, observe, settle } from '../../../gateway/rules/timing.ts'

interface Shown {
  at: number
  condition: string | null
}

/** As the engine does it: readings one after the other, and what is due by the clock before each, and at the end. */
function run(readings: readonly Shown[], delays: Delays, end: number): Omit<Change, 'by'>[] {
  const state = freshTiming()
  const changes: Change[] = []
  const pass = (now: number): void => {
    for (let due = dueAt(state, delays); due !== null && due <= now; due = dueAt(state, delays)) {
      const change = settle(state, delays)
      if (change) changes.push(change)
    }
  }
  for (const { at, condition } of readings) {
    pass(at)
    changes.push(...observe(state, condition, at, at, delays))
  }
  pass(end)
  return changes.map(({ from, to, at }) => ({ from, to, at }))
}

/** The same, millisecond by millisecond. */
function reference(readings: readonly Shown[], delays: Delays, end: number): Omit<Change, 'by'>[] {
  const changes: Omit<Change, 'by'>[] = []
  let counts: string | null = null
  let shown: string | null = null
  let since: number | null = null
  let cleared: number | null = null
  const way = (to: string | null): string => (to === null ? 'clear' : counts === null ? 'raise' : 'change')
  const settleIfDue = (now: number): void => {
    if (since === null) return
    let wait = way(shown) === 'clear' ? delays.clearFor : delays.for
    if (way(shown) === 'raise' && cleared !== null) wait = Math.max(wait, cleared + delays.reraiseAfter - since)
    if (now < since + wait) return
    changes.push({ from: counts, to: shown, at: now })
    if (shown === null) cleared = now
    counts = shown
    since = null
  }
  for (let now = 0; now <= end; now++) {
    settleIfDue(now)
    for (const reading of readings.filter(({ at }) => at === now)) {
      const before: string | null = since === null ? null : way(shown)
      shown = reading.condition
      if (shown === counts) since = null
      else if (before !== way(shown)) since = now
      settleIfDue(now)
    }
  }
  return changes
}

const readings = fc
  .array(fc.record({ step: fc.integer({ min: 0, max: 12 }), condition: fc.constantFrom(null, 'hi', 'hihi') }), {
    maxLength: 25,
  })
  .map((steps) => {
    let at = 0
    return steps.map(({ step, condition }): Shown => {
      at += step
      return { at, condition }
    })
  })

const delays = fc.record({
  for: fc.constantFrom(0, 3, 10),
  clearFor: fc.constantFrom(0, 2, 15),
  reraiseAfter: fc.constantFrom(0, 20),
})

describe('timing', () => {
  it('does what watching every millisecond does', () => {
    fc.assert(
      fc.property(readings, delays, (shown, wait) => {
        expect(run(shown, wait, 350)).toEqual(reference(shown, wait, 350))
      }),
      { numRuns: 500 },
    )
  })

  it('changes at the moment that was due, however late a reading shows it', () => {
    const wait = { for: 30, clearFor: 0, reraiseAfter: 0 }
    const state = freshTiming()
    expect(observe(state, 'hi', 100, 100, wait)).toEqual([])
    expect(dueAt(state, wait)).toBe(130)
    expect(observe(state, null, 500, 500, wait)).toEqual([
      { from: null, to: 'hi', at: 130, by: 'time' },
      { from: 'hi', to: null, at: 500, by: 'reading' },
    ])
  })

  it('takes the device at its word for how long, and its own clock for when nothing comes', () => {
    const wait = { for: 30, clearFor: 0, reraiseAfter: 0 }
    const state = freshTiming()
    observe(state, 'hi', 100, 5_000, wait)
    expect(dueAt(state, wait)).toBe(5_030)
    expect(settle(state, wait)).toMatchObject({ to: 'hi', at: 130 })
  })
})
