import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Barrier, Presence } from '../../../gateway/failover/presence.ts'

const ORIGIN = 'gw-b/0123456789abcdef'
const said = (next: number, head: number): Barrier => ({ origin: ORIGIN, next, head, settled: 0, skipped: [] })

function present(): Presence {
  const presence = new Presence()
  presence.session('up', true)
  presence.session('down', true)
  return presence
}

describe('a peer', () => {
  it('is present when a session stands in both directions', () => {
    const presence = new Presence()
    expect(presence.present).toBe(false)
    presence.session('up', true)
    expect(presence.present).toBe(false)
    presence.session('down', true)
    expect([presence.present, presence.answers]).toEqual([true, true])
    presence.session('up', false)
    expect([presence.present, presence.answers]).toEqual([false, false])
  })

  it('counts for as much as its lane is here', () => {
    const presence = present()
    presence.said(said(10, 5))
    presence.said(said(20, 9))
    presence.said(said(30, 12))
    expect(presence.pass(ORIGIN, 4)).toBeNull()
    expect(presence.pass('gw-c/0123456789abcdef', 99)).toBeNull()
    expect(presence.pass(ORIGIN, 9)).toEqual(said(20, 9))
    expect(presence.waiting).toBe(1)
    expect(presence.pass(ORIGIN, 12)).toEqual(said(30, 12))
  })

  it('that cannot say what has left of it does not answer until it can; that is told once', () => {
    const presence = present()
    expect([presence.said(null), presence.said(null)]).toEqual(['lost', null])
    expect(presence.answers).toBe(false)
    expect([presence.said(said(1, 0)), presence.said(said(2, 0))]).toEqual(['regained', null])
    expect(presence.answers).toBe(true)
    presence.said(null)
    presence.session('down', false)
    presence.session('down', true)
    expect(presence.answers).toBe(true)
  })

  it('in whose place others send does not answer until its chain was read, whatever it says', () => {
    const presence = present()
    presence.doubt()
    expect(presence.said(said(1, 0))).toBeNull()
    expect(presence.pass(ORIGIN, 9)).toBeNull()
    presence.session('up', false)
    presence.session('up', true)
    expect([presence.present, presence.answers, presence.unread]).toEqual([true, false, true])
    presence.said(said(1, 0))
    presence.chainRead()
    expect(presence.answers).toBe(true)
    expect(presence.pass(ORIGIN, 9)).toEqual(said(1, 0))
  })

  it('has said nothing that counts when the session on which it answers is over', () => {
    const presence = present()
    presence.said(said(1, 0))
    expect([...presence.origins]).toEqual([ORIGIN])
    presence.session('up', false)
    expect([presence.waiting, presence.origins.size]).toEqual([0, 0])
  })

  it('keeps a bounded number of answers, the newest', () => {
    const presence = present()
    for (let next = 1; next <= 1000; next++) presence.said(said(next, next))
    expect(presence.waiting).toBeLessThanOrEqual(256)
    expect(presence.pass(ORIGIN, 1000)).toEqual(said(1000, 1000))
  })

  it('answers only while it is present, sure and read, whatever happens', () => {
    const step = fc.constantFrom('up', 'down', '!up', '!down', 'doubt', 'read', 'unsure', 'sure')
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const presence = new Presence()
        const model = { up: false, down: false, unread: false, unsure: false }
        for (const happens of steps) {
          if (happens === 'doubt') presence.doubt()
          else if (happens === 'read') presence.chainRead()
          else if (happens === 'unsure' || happens === 'sure') presence.said(happens === 'sure' ? said(1, 1) : null)
          else {
            const direction = happens.endsWith('up') ? 'up' : 'down'
            model[direction] = !happens.startsWith('!')
            presence.session(direction, model[direction])
            if (model.up && model.down) model.unsure = false
          }
          if (happens === 'doubt' || happens === 'read') model.unread = happens === 'doubt'
          if (happens === 'unsure' || happens === 'sure') model.unsure = happens === 'unsure'
          expect(presence.answers).toBe(model.up && model.down && !model.unread && !model.unsure)
        }
      }),
    )
  })
})
