import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compilePattern } from '../../../gateway/rules/pattern.ts'

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

describe('a pattern', () => {
  it('matches what the regular expression would', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '*', '.'), maxLength: 8 })
    fc.assert(
      fc.property(text, text, (pattern, other) => {
        const expression = new RegExp(`^${pattern.split('*').map(escaped).join('.*')}$`)
        expect(compilePattern(pattern).matches(other)).toBe(expression.test(other))
      }),
      { numRuns: 2000 },
    )
  })

  it('takes no longer for a nasty one', () => {
    expect(compilePattern(`${'*a'.repeat(2000)}*b`).matches('a'.repeat(20_000))).toBe(false)
  })

  it('says more the more characters it gives, and most without any *', () => {
    const said = ['*', 'a*', 'oven-*', 'oven-7*', 'o'].map((text) => compilePattern(text).specificity)
    expect(said).toEqual([...said].sort((a, b) => a - b))
  })
})
