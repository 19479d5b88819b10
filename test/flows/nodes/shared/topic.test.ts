import { expect, test } from 'vitest'
import { topicFor } from '../../../../flows/nodes/shared/topic.ts'

test('the first template that can be filled in is taken', () => {
  const templates = [
    '+/{device}/{metric}',
    'plant/{line}/{device}/{metric}',
    'sensors/{device}',
    's/{site}/{device}/{metric}',
  ]
  const names = { device: 'd', metric: 'm', site: 'north' }
  expect(topicFor(templates, names)).toBe('s/north/d/m')
  expect(topicFor(templates, { ...names, labels: { line: 'a' } })).toBe('plant/a/d/m')
})

test('a name that would be more or less than one level of a topic is refused', () => {
  for (const device of ['', 'a/b', '+', 'a#', 'a\0']) {
    expect(() => topicFor(['{device}/{metric}'], { device, metric: 'm' })).toThrow('device: expected a text')
  }
})

test('templates that cannot be filled in are named', () => {
  expect(() => topicFor(['a/{device}', 'b/#'], { device: 'd', metric: 'm' })).toThrow('in a/{device}, b/#')
})
