import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseFilter } from '../../../../gateway/ingest/topics/filter.ts'
import { covers, type Level, matches, type Pattern } from '../../../../gateway/ingest/topics/pattern.ts'

/** The slow definition: MQTT 3.1.1 §4.7 as one regular expression over the whole topic. */
function reference({ levels, rest }: Pattern): RegExp {
  const parts = levels.map((level) => {
    if (level.kind === 'literal') return level.text.replace(/[$.*+?^{}()|[\]\\]/g, '\\$&')
    return level.kind === 'any' ? '[^/]*' : '[^/]+'
  })
  const reserved = levels[0]?.kind === 'literal' ? '' : '(?!\\$)'
  const body = parts.join('/')
  if (!rest) return new RegExp(`^${reserved}${body}$`, 'su')
  return new RegExp(levels.length === 0 ? `^${reserved}.*$` : `^${reserved}${body}(?:/.*)?$`, 'su')
}

const texts = fc.constantFrom('', 'a', 'b', '$a', 'x.y', '\n')
const level: fc.Arbitrary<Level> = fc.oneof(
  texts.map((text) => ({ kind: 'literal', text }) as const),
  fc.constant({ kind: 'any' } as const),
  fc.constant({ kind: 'named', name: 'n' } as const),
)
const patterns: fc.Arbitrary<Pattern> = fc
  .record({ levels: fc.array(level, { maxLength: 3 }), rest: fc.boolean() })
  .filter(({ levels, rest }) => rest || levels.length > 0)
const levelTexts = fc.array(
  fc.oneof(
    texts,
    fc.string().filter((text) => !text.includes('/')),
  ),
  { minLength: 1, maxLength: 5 },
)

const ALPHABET = ['', 'a', 'b', '$a', 'other']
const NEXT = (topics: string[][]) => topics.flatMap((topic) => ALPHABET.map((text) => [...topic, text]))
const ONE = ALPHABET.map((text) => [text])
const SHORT_TOPICS = [...ONE, ...NEXT(ONE), ...NEXT(NEXT(ONE)), ...NEXT(NEXT(NEXT(ONE)))]

describe('matches', () => {
  it('agrees with a regular expression made after the standard', () => {
    fc.assert(
      fc.property(patterns, levelTexts, (pattern, topic) => {
        expect(matches(pattern, topic)).toBe(reference(pattern).test(topic.join('/')))
      }),
      { numRuns: 3000 },
    )
  })

  it.each([
    ['sport/tennis/player1/#', 'sport/tennis/player1', true],
    ['sport/tennis/player1/#', 'sport/tennis/player1/score/wimbledon', true],
    ['sport/tennis/+', 'sport/tennis/player1/ranking', false],
    ['sport/+', 'sport', false],
    ['sport/+', 'sport/', true],
    ['+/+', '/finance', true],
    ['/+', '/finance', true],
    ['+', '/finance', false],
    ['#', 'a/b', true],
    ['#', '$SYS/x', false],
    ['+/monitor/Clients', '$SYS/monitor/Clients', false],
    ['$SYS/#', '$SYS/x', true],
  ])('follows the examples of MQTT 3.1.1 §4.7: %s, %s', (filter, topic, expected) => {
    expect(matches(parseFilter(filter), topic.split('/'))).toBe(expected)
  })
})

describe('covers', () => {
  it('says exactly whether every topic of the one is a topic of the other', () => {
    const known = patterns.filter(({ levels }) =>
      levels.every((one) => one.kind !== 'literal' || ALPHABET.includes(one.text)),
    )
    fc.assert(
      fc.property(
        known,
        known.filter(({ levels }) => levels.length > 0),
        (outer, inner) => {
          const inside = SHORT_TOPICS.filter((topic) => matches(inner, topic))
          fc.pre(inside.length > 0)
          expect(covers(outer, inner)).toBe(inside.every((topic) => matches(outer, topic)))
        },
      ),
      { numRuns: 3000 },
    )
  })
})
