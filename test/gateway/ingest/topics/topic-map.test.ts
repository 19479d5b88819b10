import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileTopics, type TopicMatch, type TopicTemplate } from '../../../../gateway/ingest/topics/index.ts'
import { OperatorError } from '../../../../sync/contract/index.ts'

function topics(templates: Array<string | TopicTemplate>, local: string[] = [], site = 's1') {
  const objects = templates.map((template) => (typeof template === 'string' ? { template } : template))
  return compileTopics({ site, templates: objects, local })
}

function matched(found: TopicMatch | 'local' | null): TopicMatch {
  if (found === null || found === 'local') throw new Error(`expected a match, got ${found}`)
  return found
}

describe('lookup', () => {
  it('reads device and metric from the topic', () => {
    const found = matched(topics(['sensors/{device}/{metric}']).lookup('sensors/d1/temp'))
    expect(found).toMatchObject({
      device: 'd1',
      metric: 'temp',
      scope: 'temp',
      unit: null,
      labels: null,
      problem: null,
    })
    expect(found.line.prefix).toBe('{"device":"d1","metric":"temp",')
  })

  it('says how durable publishes have to be, where the template does', () => {
    const map = topics([{ template: 'a/{device}', durability: 'replicated' }, 'b/{device}'])
    expect(matched(map.lookup('a/d1')).durability).toBe('replicated')
    expect(matched(map.lookup('b/d1')).durability).toBeUndefined()
  })

  it('leaves the metric open when neither topic nor template name one', () => {
    const found = matched(topics(['{site}/+/{device}']).lookup('s1/anything/d1'))
    expect(found).toMatchObject({ device: 'd1', metric: null, scope: null })
  })

  it('takes metric, unit and labels from the template, and other placeholders as labels', () => {
    const template = {
      template: 'plant/{line}/{device}/#',
      metric: 'temperature',
      unit: 'Cel',
      labels: { area: 'boiler' },
    }
    const found = matched(topics([template]).lookup('plant/L1/d1/x/y'))
    expect(found).toMatchObject({
      device: 'd1',
      metric: 'temperature',
      scope: null,
      unit: 'Cel',
      labels: { area: 'boiler', line: 'L1' },
    })
    expect(found.line.labelsText).toBe('{"area":"boiler","line":"L1"}')
  })

  it.each([
    ['plant/L1/d1', 'd1'],
    ['plant/L1/d1/', 'd1'],
    ['plant/L1/d1/x', 'd1'],
    ['plant/L1/d1/x/y/z', 'd1'],
    ['plant/L1', null],
    ['plant', null],
    ['plant/L1/', null],
    ['plant//d1', null],
    ['Plant/L1/d1', null],
    ['/plant/L1/d1', null],
  ])("lets '#' stand for the rest, none included: %s", (topic, device) => {
    const found = topics(['plant/{line}/{device}/#']).lookup(topic)
    expect(found === null ? null : matched(found).device).toBe(device)
  })

  it('knows only its own site', () => {
    const map = topics(['{site}/{device}/{metric}'])
    expect(matched(map.lookup('s1/d1/temp')).device).toBe('d1')
    expect(map.lookup('s2/d1/temp')).toBeNull()
    expect(matched(map.lookup('s1/d1/temp')).labels).toBeNull()
  })

  it('lets the first template that matches decide', () => {
    const map = topics(['a/{device}/temp', { template: 'a/{device}/{metric}', unit: 'K' }])
    expect(matched(map.lookup('a/d1/temp'))).toMatchObject({ metric: null, unit: null })
    expect(matched(map.lookup('a/d1/hum'))).toMatchObject({ metric: 'hum', unit: 'K' })
  })

  it('carves local messages out of a template', () => {
    const map = topics(['sensors/{device}/{metric}'], ['sensors/+/set', 'local/#'])
    expect(map.lookup('sensors/d1/set')).toBe('local')
    expect(map.lookup('local')).toBe('local')
    expect(map.lookup('local/a/b')).toBe('local')
    expect(matched(map.lookup('sensors/d1/temp')).metric).toBe('temp')
    expect(map.lookup('other')).toBeNull()
  })

  it('keeps topics that begin with $ from wildcards at the front (MQTT-4.7.2-1)', () => {
    const map = topics(['{device}/{metric}', '+/{device}/x', '$own/{device}/{metric}'])
    expect(map.lookup('$SYS/load')).toBeNull()
    expect(map.lookup('$SYS/d1/x')).toBeNull()
    expect(matched(map.lookup('$own/d1/temp')).device).toBe('d1')
    expect(topics([], ['#', '+/a']).lookup('$SYS/a')).toBeNull()
    expect(topics([], ['$SYS/#']).lookup('$SYS/a')).toBe('local')
  })

  it('says what is wrong with names that no reading may carry', () => {
    const map = topics(['sensors/{device}/{metric}', 'plant/{line}/{device}'])
    const long = 'x'.repeat(257)
    expect(matched(map.lookup(`sensors/${long}/temp`)).problem?.code).toBe('DEVICE_INVALID')
    expect(matched(map.lookup('sensors/a\u0007b/temp')).problem?.code).toBe('DEVICE_INVALID')
    expect(matched(map.lookup('sensors/__proto__/temp')).problem?.code).toBe('DEVICE_INVALID')
    expect(matched(map.lookup(`sensors/d1/${long}`)).problem?.code).toBe('METRIC_INVALID')
    expect(matched(map.lookup('plant/\u009f/d1')).problem?.code).toBe('LABELS_INVALID')
    expect(matched(map.lookup(`sensors/${'x'.repeat(256)}/temp`)).problem).toBeNull()
  })

  it('gives every lookup of a topic the same object', () => {
    const map = topics(['sensors/{device}/{metric}'])
    const first = map.lookup('sensors/d1/temp')
    expect(map.lookup(['sensors', 'd1', 'temp'].join('/'))).toBe(first)
  })

  it('keeps topics in use in its memory while a client invents others', () => {
    const map = compileTopics({
      site: 's1',
      templates: [{ template: 'sensors/{device}/{metric}' }],
      local: [],
      cacheEntries: 100,
    })
    const first = map.lookup('sensors/d1/temp')
    for (let i = 0; i < 1000; i++) map.lookup(`unknown/${i}`)
    expect(map.lookup('sensors/d1/temp')).toBe(first)
    for (let i = 0; i < 1000; i++) {
      map.lookup(`sensors/invented-${i}/temp`)
      if (i % 10 === 0) expect(map.lookup('sensors/d1/temp')).toBe(first)
    }
    for (let i = 0; i < 1000; i++) map.lookup(`sensors/invented-${i}/temp`)
    expect(map.lookup('sensors/d1/temp')).not.toBe(first)
    expect(map.lookup('sensors/d1/temp')).toEqual(first)
  })

  it('does not remember very long topics', () => {
    const map = topics(['sensors/{device}/#'])
    const topic = `sensors/d1/${'x'.repeat(600)}`
    expect(map.lookup(topic)).not.toBe(map.lookup(topic))
  })
})

const name = fc.oneof(fc.string({ minLength: 1 }), fc.string({ unit: 'binary', minLength: 1 }))
const level = name.filter((text) => !/[/+#]/.test(text) && !text.startsWith('$'))

describe('a template', () => {
  it('gives back the values that it was filled in with', () => {
    const parts = fc.uniqueArray(fc.constantFrom('device', 'metric', 'site', 'line', 'cell', '+', 'fixed'), {
      minLength: 1,
    })
    fc.assert(
      fc.property(
        parts,
        level,
        level,
        level,
        level,
        level,
        fc.boolean(),
        (kinds, device, metric, line, cell, any, rest) => {
          fc.pre(kinds.includes('device'))
          const text: Record<string, string> = { device, metric, line, cell, site: 's1', '+': any, fixed: 'fixed' }
          const template = kinds.map((kind) => (kind === '+' || kind === 'fixed' ? kind : `{${kind}}`)).join('/')
          const topic = kinds.map((kind) => text[kind]).join('/')
          const found = matched(
            topics([rest ? `${template}/#` : template]).lookup(rest ? `${topic}/more/levels` : topic),
          )
          expect(found.device).toBe(device)
          expect(found.metric).toBe(kinds.includes('metric') ? metric : null)
          const labels = { ...(kinds.includes('line') && { line }), ...(kinds.includes('cell') && { cell }) }
          expect(found.labels ?? {}).toEqual(labels)
          if (kinds.includes('metric'))
            expect(JSON.parse(`${found.line.prefix}"value":1}`)).toEqual({ device, metric, value: 1 })
        },
      ),
    )
  })
})

describe('compileTopics refuses', () => {
  const device = '{device}'
  it.each<[code: string, template: string | TopicTemplate]>([
    ['TOPIC_TEMPLATE_EMPTY', ''],
    ['TOPIC_TEMPLATE_NO_DEVICE', 'sensors/{metric}'],
    ['TOPIC_TEMPLATE_NO_DEVICE', '#'],
    ['TOPIC_TEMPLATE_NO_DEVICE', 'sensors/{site}/+'],
    ['TOPIC_TEMPLATE_REST_NOT_LAST', 'a/#/{device}'],
    ['TOPIC_TEMPLATE_DUPLICATE_NAME', '{device}/{device}'],
    ['TOPIC_TEMPLATE_DUPLICATE_NAME', '{line}/{device}/{line}'],
    ['TOPIC_TEMPLATE_SYNTAX', '{device}/x+'],
    ['TOPIC_TEMPLATE_SYNTAX', '{device}/x#'],
    ['TOPIC_TEMPLATE_SYNTAX', '{device}/dev-{metric}'],
    ['TOPIC_TEMPLATE_SYNTAX', '{device}/{}'],
    ['TOPIC_TEMPLATE_SYNTAX', '{device}/{a b}'],
    ['TOPIC_TEMPLATE_SYNTAX', '{device}/{__proto__}'],
    ['TOPIC_TEMPLATE_SYNTAX', '{device}/{metric'],
    ['TOPIC_TEMPLATE_SYNTAX', '{device}/metric}'],
    ['TOPIC_TEMPLATE_SYNTAX', '{device}/{{metric}}'],
    ['TOPIC_TEMPLATE_SYNTAX', '{device}/a\0b'],
    ['TOPIC_TEMPLATE_SYNTAX', `{device}/{${'x'.repeat(300)}}`],
    ['TOPIC_TEMPLATE_METRIC', { template: '{device}/{metric}', metric: 'temp' }],
    ['TOPIC_TEMPLATE_METRIC', { template: device, metric: '' }],
    ['TOPIC_TEMPLATE_METRIC', { template: device, metric: '__proto__' }],
    ['TOPIC_TEMPLATE_UNIT', { template: device, unit: '' }],
    ['TOPIC_TEMPLATE_UNIT', { template: device, unit: 'x'.repeat(33) }],
    ['TOPIC_TEMPLATE_LABELS', { template: '{device}/{line}', labels: { line: 'L1' } }],
    ['TOPIC_TEMPLATE_LABELS', { template: device, labels: { '': 'x' } }],
    ['TOPIC_TEMPLATE_LABELS', { template: device, labels: { a: '' } }],
    ['TOPIC_TEMPLATE_LABELS', { template: device, labels: { a: 'x\n' } }],
    [
      'TOPIC_TEMPLATE_LABELS',
      { template: '{device}/{line}', labels: Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`l${i}`, 'x'])) },
    ],
  ])('with %s: %j', (code, template) => {
    const text = typeof template === 'string' ? template : template.template
    const error = refusal(() => topics([template]))
    expect(error.code).toBe(code)
    expect(error.message).toContain(`'${text}'`)
  })

  it.each([
    ['TOPIC_FILTER_INVALID', ''],
    ['TOPIC_FILTER_INVALID', 'a/#/b'],
    ['TOPIC_FILTER_INVALID', 'a/b#'],
    ['TOPIC_FILTER_INVALID', 'a+/b'],
    ['TOPIC_FILTER_INVALID', 'a\0'],
  ])('with %s: local filter %j', (code, filter) => {
    const error = refusal(() => topics(['{device}'], [filter]))
    expect(error.code).toBe(code)
    expect(error.message).toContain(`'${filter}'`)
  })

  it.each([
    [['a/{device}', 'a/{device}'], []],
    [['{device}/#', 'a/{device}/{metric}'], []],
    [['a/{device}'], ['#']],
    [['a/{device}/{metric}'], ['a/+/+']],
    [['{site}/{device}'], ['s1/#']],
  ])('a template that nothing is left for: %j, local %j', (templates, local) => {
    expect(refusal(() => topics(templates, local)).code).toBe('TOPIC_TEMPLATE_UNREACHABLE')
  })

  it('a site that can never be a level, if a template asks for it', () => {
    expect(refusal(() => topics(['{site}/{device}'], [], 'a/b')).code).toBe('TOPIC_TEMPLATE_SITE')
    expect(refusal(() => topics(['{site}/{device}'], [], '')).code).toBe('TOPIC_TEMPLATE_SITE')
    expect(matched(topics(['x/{device}'], [], 'a/b').lookup('x/d1')).device).toBe('d1')
  })
})

function refusal(action: () => unknown): OperatorError {
  try {
    action()
  } catch (error) {
    if (error instanceof OperatorError) return error
    throw error
  }
  throw new Error('expected an OperatorError, got none')
}
