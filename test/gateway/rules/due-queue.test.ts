import fc from 'fast-check'
import { expect, it } from 'vitest'
import { DueQueue } from '../../../gateway/rules/due-queue.ts'

it('hands out what is due in the order of time, then name, whatever the order in which it came', () => {
  const entries = fc.array(fc.record({ at: fc.nat(20), name: fc.string({ maxLength: 2 }) }), { maxLength: 50 })
  fc.assert(
    fc.property(entries, fc.nat(25), (all, now) => {
      const queue = new DueQueue<string>()
      for (const { at, name } of all) queue.push(at, name, `${at} ${name}`)
      const taken: string[] = []
      for (let next = queue.takeDue(now); next; next = queue.takeDue(now)) taken.push(next.what)
      const due = all.filter(({ at }) => at <= now)
      due.sort((a, b) => a.at - b.at || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
      expect(taken).toEqual(due.map(({ at, name }) => `${at} ${name}`))
    }),
  )
})
