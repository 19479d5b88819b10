import { fc, test } from '@fast-check/vitest'
import { describe, expect, it } from 'vitest'
import { nearest } from '../../../gateway/config/nearest.ts'

describe('nearest', () => {
  it.each([
    ['centrall', 'central'],
    ['maxbytes', 'maxBytes'],
    ['retainAckd', 'retainAcked'],
    ['prot', 'port'],
    ['reun', 'run'],
  ])('takes %s for %s', (word, meant) => {
    expect(nearest(word, ['mqtt', 'central', 'maxBytes', 'retainAcked', 'port', 'run'])).toBe(meant)
  })

  it('prefers the fewest edits', () => {
    expect(nearest('ageMax', ['maxAge', 'ageMin', 'ageMaxx'])).toBe('ageMaxx')
  })

  it('suggests nothing when nothing is close', () => {
    expect(nearest('zebra', ['mqtt', 'central'])).toBeNull()
    expect(nearest('x', [])).toBeNull()
  })

  const word = fc.stringMatching(/^[a-z]{6,12}$/)

  test.prop([word, fc.nat(4), fc.constantFrom('drop', 'double', 'swap')])(
    'finds a word again after one slip of the finger',
    (text, at, slip) => {
      const [before, a, b, after] = [text.slice(0, at), text.charAt(at), text.charAt(at + 1), text.slice(at + 2)]
      const typed = { drop: before + b + after, double: `${before}${a}${a}${b}${after}`, swap: before + b + a + after }
      expect(nearest(typed[slip as keyof typeof typed], [text, '0123456789'])).toBe(text)
    },
  )
})
