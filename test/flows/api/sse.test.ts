import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { type SseMessage, SseParser } from '../../../flows/api/sse.ts'

const STREAM = [
  ': still here\n\n',
  'id: 1\nevent: threshold\ndata: {"a":1}\n\n',
  'event: gap\r\ndata: x\r\ndata:y\r\n\r\n',
  'id: 5\n\n',
  'retry: 10\n\n',
  'data: unfinished\n',
].join('')

const MESSAGES: SseMessage[] = [
  { id: '1', event: 'threshold', data: '{"a":1}' },
  { id: null, event: 'gap', data: 'x\ny' },
  { id: '5', event: 'message', data: '' },
]

test.prop([fc.array(fc.integer({ min: 1, max: STREAM.length - 1 }))])('wherever the chunks are cut', (cuts) => {
  const at = [0, ...cuts.sort((a, b) => a - b), STREAM.length]
  const parser = new SseParser()
  expect(at.slice(1).flatMap((end, i) => parser.take(STREAM.slice(at[i], end)))).toEqual(MESSAGES)
})
