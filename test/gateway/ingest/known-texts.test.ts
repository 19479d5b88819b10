import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { KnownTexts } from '../../../gateway/ingest/known-texts.ts'
import { viewOf } from '../../../gateway/ingest/words.ts'

const name = fc.stringMatching(/^[ab/é]{1,6}$/)

test.prop([fc.array(name, { maxLength: 60 }), fc.nat(3)])(
  'a topic is found as it was learnt, or not at all, however many share a slot',
  (names, before) => {
    const topics = new KnownTexts(4)
    for (const text of names) {
      const bytes = Buffer.from(text)
      const data = Buffer.concat([Buffer.alloc(before, 'x'), bytes, Buffer.from('tail')])
      const end = before + bytes.length
      const view = viewOf(data)
      const found = topics.find(view, before, end)
      expect(found === null || found.text === text).toBe(true)
      expect(topics.learn(view, before, end).text).toBe(text)
      data.fill(0, before, end)
      bytes.copy(data, before)
      expect(topics.find(view, before, end)?.text).toBe(text)
    }
  },
)

test('what was learnt does not depend on the bytes it was learnt from', () => {
  const topics = new KnownTexts(8192)
  const data = Buffer.from('sensors/a')
  topics.learn(viewOf(data), 0, data.length)
  data.fill('x')
  expect(topics.find(viewOf(data), 0, data.length)).toBeNull()
  expect(topics.find(viewOf(Buffer.from('sensors/a')), 0, 9)?.text).toBe('sensors/a')
  expect(topics.find(viewOf(Buffer.from('sensors/a/')), 0, 10)).toBeNull()
})
