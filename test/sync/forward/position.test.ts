import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decidePosition, type Findings, type Position } from '../../../sync/forward/position.ts'
import { ownerStanding, survivorStanding } from '../../../sync/forward/standing.ts'

const CREATED = '2026-01-01T00:00:00Z'

/** An outbox with records 20 to 99 of which the centre acknowledged 0 to 59, in a stream of 500 messages. */
const usual: Findings = {
  cursor: { next: 60, sequence: 400, streamCreated: CREATED },
  localEnd: 100,
  replica: false,
  anchored: true,
  localTail: 20,
  term: 1,
  chainEnd: 400,
  own: { sequence: 400, to: 59, term: 1, lineage: 7 },
  lineageHere: 7,
  facts: { created: CREATED, firstSequence: 1, lastSequence: 500 },
}

const own = (to: number, extra: Partial<NonNullable<Findings['own']>> = {}) => ({
  own: { sequence: 400, to, term: 1, lineage: 7, ...extra },
})

const cases: [string, Partial<Findings>, Position][] = [
  ['all is as remembered', {}, { kind: 'continue', next: 60, expected: 400 }],
  ['a pack was stored whose answer got lost', own(79), { kind: 'continue', next: 80, expected: 400 }],
  ['everything is there', own(99), { kind: 'continue', next: 100, expected: 400 }],
  ['the centre has less than it acknowledged', own(39), { kind: 'rewind', next: 40, expected: 400, why: 'behind' }],
  ['it has less than is kept here', own(9), { kind: 'rewind', next: 10, expected: 400, why: 'behind' }],
  ['it has more than was ever here', own(100), { kind: 'forked' }],
  ['it has another history', own(59, { lineage: 8 }), { kind: 'forked' }],
  ['the pack does not say which history', own(59, { lineage: null }), { kind: 'continue', next: 60, expected: 400 }],
  ['nobody here can tell the history', { lineageHere: null }, { kind: 'continue', next: 60, expected: 400 }],
  ['somebody took over', own(79, { term: 2 }), { kind: 'fenced', term: 2 }],
  ['somebody took over, and has sent more than is here', own(120, { term: 2 }), { kind: 'fenced', term: 2 }],
  [
    'a copy is behind the lane that it is of',
    { ...own(120), replica: true },
    { kind: 'continue', next: 121, expected: 400 },
  ],
  ['a copy is of another history', { ...own(59, { lineage: 8 }), replica: true }, { kind: 'forked' }],
  [
    'nobody has written to a chain that a survivor begins with',
    { own: null, chainEnd: 0, term: 0 },
    { kind: 'fenced', term: 1 },
  ],
  ['only others have written since', { own: null, chainEnd: 450 }, { kind: 'continue', next: 60, expected: 450 }],
  [
    'what the cursor names is gone from under what others wrote',
    { own: null, chainEnd: 450, anchored: false },
    { kind: 'rewind', next: 20, expected: 450, why: 'truncated' },
  ],
  ['this one took over', { ...own(59), term: 2 }, { kind: 'continue', next: 60, expected: 400 }],
  ['another gateway wrote on top', { chainEnd: 450, own: usual.own }, { kind: 'continue', next: 60, expected: 450 }],
  [
    'nothing was ever sent',
    { own: null, chainEnd: 0, anchored: false, cursor: { next: 0, sequence: 0, streamCreated: null } },
    { kind: 'continue', next: 0, expected: 0 },
  ],
  [
    'retention took everything of ours',
    { own: null, chainEnd: 0, anchored: false, facts: { created: CREATED, firstSequence: 401, lastSequence: 500 } },
    { kind: 'continue', next: 60, expected: 0 },
  ],
  [
    'retention took everything there was',
    { own: null, chainEnd: 0, anchored: false, facts: { created: CREATED, firstSequence: 501, lastSequence: 500 } },
    { kind: 'continue', next: 60, expected: 0 },
  ],
  [
    'the stream is shorter than it was, and has nothing of ours',
    { own: null, chainEnd: 0, anchored: false, facts: { created: CREATED, firstSequence: 1, lastSequence: 300 } },
    { kind: 'rewind', next: 20, expected: 0, why: 'truncated' },
  ],
  [
    'the stream forgot ours and grew again by others',
    { own: null, chainEnd: 0, anchored: false },
    { kind: 'rewind', next: 20, expected: 0, why: 'truncated' },
  ],
  [
    'the stream was made anew',
    { own: null, chainEnd: 0, anchored: false, facts: { created: 'later', firstSequence: 0, lastSequence: 0 } },
    { kind: 'rewind', next: 20, expected: 0, why: 'recreated' },
  ],
  [
    'the stream was made anew and has grown beyond the old one',
    { own: null, chainEnd: 0, anchored: false, facts: { created: 'later', firstSequence: 1, lastSequence: 9000 } },
    { kind: 'rewind', next: 20, expected: 0, why: 'recreated' },
  ],
  [
    'nothing older than the cursor is kept here',
    {
      own: null,
      chainEnd: 0,
      anchored: false,
      localTail: 60,
      facts: { created: 'later', firstSequence: 0, lastSequence: 0 },
    },
    { kind: 'rewind', next: 60, expected: 0, why: 'recreated' },
  ],
]

describe('standings', () => {
  it('let the owner outbid always, and a survivor once', () => {
    const owner = ownerStanding()
    expect([owner.term, owner.outbid(2), owner.outbid(7)]).toEqual([1, 3, 8])
    const survivor = survivorStanding()
    expect(survivor.outbid(4)).toBe(5)
    survivor.term = 5
    expect(survivor.outbid(6)).toBeNull()
  })
})

describe('decidePosition', () => {
  it.each(cases)('when %s', (_, change, expected) => {
    expect(decidePosition({ ...usual, ...change })).toEqual(expected)
  })

  it('never skips a record that the centre does not have, and never sends one that it has', () => {
    const findings = fc.record({
      next: fc.nat(100),
      to: fc.option(fc.nat(99)),
      tail: fc.nat(100),
      chainEnd: fc.nat(600),
      lastSequence: fc.nat(600),
      firstSequence: fc.nat(600),
      sequence: fc.nat(600),
      recreated: fc.boolean(),
    })
    fc.assert(
      fc.property(findings, ({ next, to, tail, chainEnd, lastSequence, firstSequence, sequence, recreated }) => {
        const position = decidePosition({
          ...usual,
          cursor: { next, sequence, streamCreated: CREATED },
          localTail: tail,
          chainEnd,
          own: to === null ? null : { sequence: chainEnd, to, term: 1, lineage: 7 },
          facts: { created: recreated ? 'later' : CREATED, firstSequence, lastSequence },
        })
        if (position.kind !== 'continue' && position.kind !== 'rewind') throw new Error(position.kind)
        // The chain's own word counts; without it, never beyond what was acknowledged.
        if (to !== null) expect(position.next).toBe(to + 1)
        else expect(position.next).toBeLessThanOrEqual(next)
        expect(position.expected).toBe(chainEnd)
        if (position.kind === 'rewind' && to === null) expect(position.next).toBe(Math.min(next, tail))
      }),
    )
  })
})
