import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type AlarmLife,
  freshLife,
  type Happening,
  isAnnounced,
  live,
  stateOf,
} from '../../../gateway/rules/lifecycle.ts'

const after = (...happenings: Happening[]): string => {
  let life = freshLife()
  for (const happening of happenings) life = live(life, happening) ?? life
  return stateOf(life)
}

const raise: Happening = { kind: 'raise', condition: 'hi' }
const clear: Happening = { kind: 'clear', latch: false }
const acknowledge: Happening = { kind: 'acknowledge' }

describe('an alarm', () => {
  it.each<[string, Happening[], string]>([
    ['is raised', [raise], 'unacknowledged'],
    ['is acknowledged', [raise, acknowledge], 'acknowledged'],
    ['returns after it was acknowledged', [raise, acknowledge, clear], 'normal'],
    ['returns before it was acknowledged', [raise, clear], 'returned'],
    ['is acknowledged after it returned', [raise, clear, acknowledge], 'normal'],
    ['latches', [raise, acknowledge, { kind: 'clear', latch: true }], 'latched'],
    ['latches before it was acknowledged', [raise, { kind: 'clear', latch: true }, acknowledge], 'latched'],
    ['is reset', [raise, { kind: 'clear', latch: true }, { kind: 'reset' }], 'normal'],
    ['is raised again while latched', [raise, { kind: 'clear', latch: true }, raise, clear, acknowledge], 'normal'],
    ['gets worse', [raise, acknowledge, { kind: 'change', condition: 'hihi', worse: true }], 'unacknowledged'],
    ['gets better', [raise, acknowledge, { kind: 'change', condition: 'hi', worse: false }], 'acknowledged'],
    ['is shelved', [raise, { kind: 'shelve', until: 9 }], 'shelved'],
    ['clears on the shelf', [raise, { kind: 'shelve', until: 9 }, clear, { kind: 'unshelve' }], 'returned'],
    ['is raised on the shelf', [{ kind: 'shelve', until: 9 }, raise, { kind: 'unshelve' }], 'unacknowledged'],
    ['is suppressed and shelved', [{ kind: 'shelve', until: 9 }, { kind: 'suppress' }], 'suppressed'],
    [
      'goes out of service, and comes back',
      [raise, { kind: 'removeFromService' }, { kind: 'returnToService' }],
      'unacknowledged',
    ],
  ])('that %s', (_, happenings, state) => {
    expect(after(...happenings)).toBe(state)
  })

  const happening = fc.constantFrom<Happening>(
    raise,
    clear,
    { kind: 'clear', latch: true },
    acknowledge,
    { kind: 'reset' },
    { kind: 'shelve', until: 1 },
    { kind: 'shelve', until: 2 },
    { kind: 'unshelve' },
    { kind: 'suppress' },
    { kind: 'unsuppress' },
    { kind: 'removeFromService' },
    { kind: 'returnToService' },
  )

  it('says when something cannot be done, and does nothing twice', () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 30 }), (happenings) => {
        let life: AlarmLife = freshLife()
        for (const one of happenings) {
          const next = live(life, one)
          if (next === null) continue
          life = next
          const process = one.kind === 'raise' || one.kind === 'clear'
          if (!process) expect(live(life, one)).toBeNull()
          expect(isAnnounced(life)).toBe(!['shelved', 'suppressed', 'outOfService'].includes(stateOf(life)))
          if (stateOf(life) === 'normal') expect(life).toEqual(freshLife())
        }
      }),
    )
  })
})
