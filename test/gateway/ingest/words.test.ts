import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { copyBytes, sameBytes, viewOf } from '../../../gateway/ingest/words.ts'

/** Also of characters whose last byte is all ones as far as UTF-8 goes. */
const text = fc
  .string({
    unit: fc.oneof(fc.constantFrom('a', '\u007f', '\u00ff', '\uffff', '\u{10ffff}'), fc.string({ unit: 'binary' })),
  })
  .map((given) => Buffer.from(given.replaceAll('\0', ' '), 'utf8'))

const offset = fc.integer({ min: 0, max: 9 })

/** The same bytes elsewhere, among others. */
function placed(bytes: Uint8Array, at: number): DataView {
  const all = Buffer.alloc(at + bytes.length + 3, 0xff)
  all.set(bytes, at)
  return viewOf(all)
}

test.prop([text, offset, offset])(
  'a text that is copied is the same, and nothing around it has changed',
  (bytes, from, to) => {
    const into = placed(Buffer.alloc(bytes.length), to)
    copyBytes(placed(bytes, from), from, bytes.length, into, to)
    expect(Buffer.from(into.buffer)).toEqual(Buffer.from(placed(bytes, to).buffer))
    expect(sameBytes(into, to, placed(bytes, from), from, bytes.length)).toBe(true)
  },
)

test.prop([text.filter(({ length }) => length > 0), offset, offset, fc.nat(), fc.integer({ min: 1, max: 255 })])(
  'a text is told from one of which any byte differs, whatever that is',
  (bytes, from, to, where, change) => {
    const other = Buffer.from(bytes)
    const at = where % bytes.length
    other[at] = (other[at] ?? 0) ^ change
    expect(sameBytes(placed(other, to), to, placed(bytes, from), from, bytes.length)).toBe(false)
  },
)

test.prop([fc.uint8Array({ minLength: 8, maxLength: 40 })])('bytes that are no text are not taken for one', (bytes) => {
  const known = Buffer.alloc(bytes.length, 'x')
  expect(sameBytes(placed(bytes, 0), 0, placed(known, 0), 0, known.length)).toBe(known.equals(bytes))
})

test('what is a NaN or a zero as a double is no text', () => {
  const known = Buffer.from('12345678')
  for (const hex of ['0000000000000000', '0000000000000080', '010000000000f07f', '000000000000f8ff'])
    expect(sameBytes(placed(Buffer.from(hex, 'hex'), 0), 0, placed(known, 0), 0, 8)).toBe(false)
})
