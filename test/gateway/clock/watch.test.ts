import { describe, expect, it } from 'vitest'
import { type ClockBehind, ClockWatch } from '../../../gateway/clock/index.ts'
import type { Millis } from '../../../sync/contract/index.ts'
import type { Clock } from '../../../sync/runtime/index.ts'

const HOUR = 3_600_000
const TRUE_TIME = Date.UTC(2026, 5, 1)

/** A clock that somebody sets, and a watch over it. */
function watched(behind: Millis, lastCommit: Millis | null = null) {
  let [skew, passed] = [-behind, 0]
  const changes: (ClockBehind | null)[] = []
  const clock: Clock = {
    now: () => TRUE_TIME + passed + skew,
    monotonic: () => passed,
    after: () => () => undefined,
    soon: () => undefined,
  }
  const watch = new ClockWatch({ clock, maxFuture: HOUR, lastCommit, changed: (now) => changes.push(now) })
  return {
    watch,
    changes,
    /** A device with a right clock says something, or one that is ahead. */
    speaks: (device: string, ahead = 0): 'taken' | 'refused' => {
      const [time, received] = [TRUE_TIME + passed + ahead, clock.now()]
      if (time > received + watch.maxFuture && !watch.refused(device)) return 'refused'
      if (watch.listening) watch.heard(device, time, received)
      return 'taken'
    },
    centre: () => watch.centreSaid(TRUE_TIME + passed),
    setRight: () => {
      skew = 0
      return watch.look()
    },
    pass: (time: Millis) => {
      passed += time
    },
  }
}

describe('a clock that is right', () => {
  it('refuses a device that is ahead as long as as many devices agree with it', () => {
    const { speaks, watch } = watched(0)
    // Nobody has agreed yet: it might be this clock.
    expect(speaks('broken', 2 * HOUR)).toBe('taken')
    expect(watch.behind).toEqual({ says: 'devices', by: null })
    expect(speaks('a')).toBe('taken')
    expect(watch.behind).toBeNull()
    expect(speaks('broken', 2 * HOUR)).toBe('refused')
    expect(speaks('broken too', 5 * HOUR)).toBe('taken')
    for (const device of ['a', 'b', 'c']) speaks(device)
    expect(speaks('broken too', 5 * HOUR)).toBe('refused')
  })

  it('refuses every device that is ahead once the centre has said that it is right', () => {
    const { speaks, centre, watch, pass, changes } = watched(0)
    centre()
    pass(100 * HOUR)
    for (const device of ['a', 'b', 'c']) expect(speaks(device, 2 * HOUR)).toBe('refused')
    expect([watch.behind, changes]).toEqual([null, []])
  })

  it('is believed although the outbox has what a clock ahead stored, when devices agree with it', () => {
    const { watch, speaks } = watched(0, TRUE_TIME + 50 * HOUR)
    expect(watch.look()).toEqual({ says: 'outbox', by: 50 * HOUR })
    speaks('a')
    expect(watch.behind).toBeNull()
  })
})

describe('a clock that is behind', () => {
  it('refuses no device that is right, from the first on', () => {
    const { speaks, changes } = watched(3 * HOUR)
    for (const device of ['a', 'b', 'a']) expect(speaks(device)).toBe('taken')
    expect(changes).toEqual([{ says: 'devices', by: null }])
  })

  it.each([
    ['was never set', TRUE_TIME, null, { says: 'calendar', by: null }],
    ['is before what it has stored itself', 5 * HOUR, TRUE_TIME - 2 * HOUR, { says: 'outbox', by: 3 * HOUR }],
  ])('knows it before anybody has spoken when it %s', (_, behind, lastCommit, expected) => {
    const { watch, speaks } = watched(behind as Millis, lastCommit as Millis | null)
    expect(watch.look()).toEqual(expected)
    expect(watch.maxFuture).toBe(Number.POSITIVE_INFINITY)
    expect(speaks('a')).toBe('taken')
  })

  it('is believed when it was before what it has stored by no more than setting it costs', () => {
    expect(watched(0, TRUE_TIME + 30_000).watch.look()).toBeNull()
  })

  it('holds devices to the clock of the centre as soon as that is known, also when time has passed since', () => {
    const { watch, centre, speaks, pass } = watched(3 * HOUR)
    centre()
    pass(50 * HOUR)
    expect(watch.look()).toEqual({ says: 'centre', by: 3 * HOUR })
    expect(speaks('right')).toBe('taken')
    expect(speaks('ahead by less', HOUR / 2)).toBe('taken')
    expect(speaks('broken', 2 * HOUR)).toBe('refused')
  })

  it('does not hear of it from the centre while no device can be refused for it', () => {
    const { watch, centre } = watched(HOUR / 3)
    centre()
    expect(watch.behind).toBeNull()
  })

  it.each(['devices', 'centre', 'outbox', 'calendar'])('is right again when it is set, whoever said so: %s', (says) => {
    const { watch, speaks, centre, setRight, changes } = watched(
      says === 'calendar' ? TRUE_TIME : 3 * HOUR,
      says === 'outbox' ? TRUE_TIME - HOUR : null,
    )
    watch.look()
    if (says === 'centre') centre()
    if (says === 'devices') speaks('a')
    expect(watch.behind).toMatchObject({ says })
    expect(setRight()).toBeNull()
    expect(watch.maxFuture).toBe(HOUR)
    expect(changes.at(-1)).toBeNull()
  })
})
