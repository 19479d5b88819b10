import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import { filterMatches, TopicTrie } from '../../../../gateway/ingest/mqtt/topic-trie.ts'

const level = fc.constantFrom('a', 'b', 'c', '', '$SYS')
const topic = fc.array(level, { minLength: 1, maxLength: 5 }).map((levels) => levels.join('/'))
const filter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { maxLength: 5 }), fc.boolean())
  .map(([levels, open]) => (open || levels.length === 0 ? [...levels, '#'] : levels).join('/'))

/** MQTT 3.1.1 §4.7 as a regular expression: another way to the same answer. */
function expectedMatch(wanted: string, name: string): boolean {
  if (name.startsWith('$') && /^[+#]/.test(wanted)) return false
  const source = wanted
    .split('/')
    .map((part) => (part === '+' ? '[^/]*' : part === '#' ? '.*' : part.replace('$', '\\$')))
    .join('/')
    .replace(/\/\.\*$/, '(/.*)?')
  return new RegExp(`^${source}$`).test(name)
}

describe('topic filters', () => {
  test.each([
    ['sport/tennis/player1/#', 'sport/tennis/player1', true],
    ['sport/tennis/player1/#', 'sport/tennis/player1/score/wimbledon', true],
    ['sport/#', 'sport', true],
    ['#', 'a/b', true],
    ['#', '$SYS/a', false],
    ['+/a', '$SYS/a', false],
    ['$SYS/#', '$SYS/a', true],
    ['sport/tennis/+', 'sport/tennis/player1/ranking', false],
    ['sport/+', 'sport', false],
    ['sport/+', 'sport/', true],
    ['+/+', '/finance', true],
    ['/+', '/finance', true],
    ['+', '/finance', false],
  ])('%s against %s: %s', (wanted, name, matches) => {
    expect(filterMatches(wanted, name)).toBe(matches)
    const trie = new TopicTrie<string>()
    trie.add(wanted, 'x')
    expect(trie.match(name)).toEqual(matches ? ['x'] : [])
  })

  test.prop([filter, topic])('one filter against one topic as the specification says', (wanted, name) => {
    expect(filterMatches(wanted, name)).toBe(expectedMatch(wanted, name))
  })

  test.prop([fc.uniqueArray(filter, { maxLength: 12 }), fc.array(fc.nat(11)), topic])(
    'a trie finds what the filters one by one find, also after removals',
    (filters, removed, name) => {
      const trie = new TopicTrie<string>()
      for (const each of filters) trie.add(each, each)
      const left = new Set(filters)
      for (const index of removed) {
        const gone = filters[index]
        if (gone === undefined) continue
        trie.remove(gone, gone)
        left.delete(gone)
      }
      expect(trie.size).toBe(left.size)
      expect(trie.match(name).sort()).toEqual([...left].filter((each) => filterMatches(each, name)).sort())
    },
  )

  test('the same value twice under a filter is one; removing what is not there changes nothing', () => {
    const trie = new TopicTrie<string>()
    trie.add('a/b', 'x')
    trie.add('a/b', 'x')
    trie.remove('a/b', 'y')
    trie.remove('a/c', 'x')
    trie.remove('a', 'x')
    expect(trie.size).toBe(1)
    expect(trie.match('a/b')).toEqual(['x'])
  })
})
