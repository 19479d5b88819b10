import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Alarm } from '../../../gateway/rules/alarm.ts'
import { AlarmGroup, type Told } from '../../../gateway/rules/alarm-group.ts'
import { toEvent } from '../../../gateway/rules/event.ts'
import type { Condition, Rule } from '../../../gateway/rules/rule.ts'
import { type PeerTold, readTold } from '../../../gateway/rules/told.ts'
import type { Reading } from '../../../sync/contract/index.ts'
import { action, KINDS, ruleOf } from './model/arbitrary.ts'

const NOBODY = { by: null, comment: null }

/** Looks at every reading, and never finds anything. */
const RESTLESS: Condition = { kind: 'stuck', tolerance: 0, after: Number.MAX_SAFE_INTEGER }

/** Those that can be left alone. */
const RESTING = ['above', 'below', 'outside', 'ladder', 'missing'] as const

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      // Mostly what changes nothing.
      value: fc.oneof({ weight: 3, arbitrary: fc.constant(6) }, fc.integer({ min: 0, max: 12 }), fc.boolean()),
      late: fc.constantFrom(0, 0, 0, 2, 30),
      quality: fc.constantFrom(undefined, undefined, 'uncertain' as const, 'bad' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ act: action, on: fc.nat(2) }) },
  { weight: 3, arbitrary: fc.constantFrom('follow' as const, 'takeOver' as const, 'resume' as const) },
  {
    weight: 3,
    arbitrary: fc.record({
      peer: fc.constantFrom('heed', 'heed', 'learn', 'settle'),
      on: fc.nat(2),
      decides: fc.boolean(),
    }),
  },
)
const steps = fc.array(
  fc.record({
    wait: fc.constantFrom(0, 1, 1, 4, 25),
    step,
    heard: fc.constantFrom('here', 'here', 'there', 'both', 'only there'),
  }),
  { minLength: 30, maxLength: 60 },
)
const rules = fc
  .array(fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...RESTING) }, fc.constantFrom(...KINDS)), {
    minLength: 1,
    maxLength: 3,
  })
  .chain((kinds) => fc.tuple(...kinds.map((kind, i) => ruleOf(kind, `r${i}`))))

it('alarms decide the same, at the same times, whether all of their group can be left alone or one of them cannot', () => {
  fc.assert(
    fc.property(rules, steps, (written, all) => {
      const first: Reading = { device: 'd', metric: 'a', value: 6, received: 0 }
      const alarm = (rule: Rule) => new Alarm(rule.id, rule, 'rev', null, { from: 0 })
      const group = (more: readonly Rule[]): AlarmGroup => {
        const alarms = [...written.map(({ rule }) => rule), ...more].map(alarm)
        return new AlarmGroup(alarms, 0, { newest: {}, at: null, heard: 0, last: first, waiting: [] })
      }
      const restless: Rule = { ...(written[0]?.rule as Rule), id: 'restless', condition: RESTLESS, for: 0, of: null }
      const groups = [group([]), group([restless])] as const
      const both = <T>(what: (one: AlarmGroup) => T): T => {
        const [one, other] = groups.map(what) as [T, T]
        expect(one).toEqual(other)
        return one
      }
      /** Another gateway, which decides them, too. */
      const peer = group([])
      const events = new Map<string, PeerTold>()
      const tell = (told: readonly Told[]): void => {
        for (const { alarm: from, transition } of told) {
          const one = transition.announced ? readTold(toEvent(from, transition)) : null
          if (one) events.set(from.name, one)
        }
      }
      const said = (told: readonly Told[]) => told.map(({ alarm: { name }, transition }) => ({ name, transition }))
      let now = 0
      for (const { wait, step: what, heard } of all) {
        now += wait
        for (let due = peer.due; due !== null && due <= now; due = peer.due) tell(peer.pass(due))
        for (let due = both((one) => one.due); due !== null && due <= now; due = both((one) => one.due)) {
          const at = due
          both((one) => said(one.pass(at)))
        }
        if (what === 'follow') both((one) => one.follow())
        else if (what === 'takeOver') both((one) => one.takeOver(now))
        else if (what === 'resume') both((one) => one.resume(now))
        else if ('peer' in what) {
          const index = what.on % written.length
          const theirs = peer.alarms[index] as Alarm
          const told = events.get(theirs.name)
          const known = theirs.known(peer.last)
          both((one) => {
            const alarm = one.alarms[index] as Alarm
            if (what.peer === 'learn') return known && one.learn(alarm, known)
            if (told === undefined) return null
            if (what.peer === 'heed') return one.heed(alarm, told, what.decides)
            return alarm.isPast(told) ? null : said(one.settle(alarm, told, now, null))
          })
        } else if ('act' in what)
          both((one) => {
            const act = what.act.kind === 'shelve' ? { ...what.act, until: now + what.act.until } : what.act
            const told = one.act(one.alarms[what.on % written.length] as Alarm, act, now, NOBODY)
            return told && said([told])
          })
        else {
          const { value, late, quality } = what
          const reading: Reading = { ...first, value, received: now, time: now - late, ...(quality && { quality }) }
          if (heard === 'there') both((one) => one.hear(reading))
          else if (heard !== 'only there') both((one) => said(one.apply(reading)))
          if (heard !== 'here') tell(peer.apply(reading))
        }
        both((one) => {
          const { alarms, ...state } = one.toJSON()
          const { restless: _, ...others } = alarms
          return { ...state, alarms: others }
        })
      }
    }),
    { numRuns: 1000 },
  )
})
