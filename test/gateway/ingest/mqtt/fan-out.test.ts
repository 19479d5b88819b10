import { expect, test } from 'vitest'
import { FanOut } from '../../../../gateway/ingest/mqtt/fan-out.ts'

interface Message {
  topic: string
}

test('what is remembered about a topic is forgotten when subscriptions change', () => {
  const fanOut = new FanOut<Message>()
  const got: string[] = []
  const first = ({ topic }: Message): number => got.push(`first ${topic}`)
  const second = ({ topic }: Message): number => got.push(`second ${topic}`)
  fanOut.emit({ topic: 'a' })
  fanOut.on('+', first)
  fanOut.emit({ topic: 'a' })
  fanOut.on('a', second)
  fanOut.emit({ topic: 'a' })
  fanOut.removeListener('+', first)
  fanOut.emit({ topic: 'a' })
  expect(got.sort()).toEqual(['first a', 'first a', 'second a', 'second a'])
})

test('a subscriber that never reports back holds nobody up', () => {
  const fanOut = new FanOut<Message>()
  const got: string[] = []
  fanOut.on('#', () => undefined)
  fanOut.on('#', ({ topic }, done) => {
    got.push(topic)
    done()
  })
  let reported = 0
  for (let i = 0; i < 5000; i++) fanOut.emit({ topic: `${i}` }, () => reported++)
  expect(got).toHaveLength(5000)
  expect(reported).toBe(5000)
})

test('any number of topics is answered right', () => {
  const fanOut = new FanOut<Message>()
  fanOut.on('even/+', () => undefined)
  for (let i = 0; i < 40_000; i++) {
    const even = i % 2 === 0
    expect(fanOut.match(`${even ? 'even' : 'odd'}/${i}`)).toHaveLength(even ? 1 : 0)
  }
  expect(fanOut.match('even/0')).toHaveLength(1)
})
