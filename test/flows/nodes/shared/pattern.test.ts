import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { fits } from '../../../../flows/nodes/shared/pattern.ts'
import { compilePattern } from '../../../../gateway/rules/pattern.ts'

const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*'), minLength: 1, maxLength: 8 })

test.prop([letters, fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 10 })])(
  'fits what the same pattern of a rule fits',
  (pattern, text) => {
    expect(fits(pattern, text)).toBe(compilePattern(pattern).matches(text))
  },
)
