import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { catcher, input, logger, node, tab, threshold } from '../support/nodes.ts'
import { soon, startTestFlows, type TestFlows } from '../support/test-flows.ts'

let t: TestFlows

beforeAll(async () => {
  t = await startTestFlows()
})
afterAll(() => t.stop())

const tell = async (id: string, message: unknown): Promise<void> => {
  const answer = await fetch(`${t.flows.url}/in/${id}?m=${encodeURIComponent(JSON.stringify(message))}`)
  expect(answer.status).toBe(200)
}

describe('threshold nodes', () => {
  test('are deployed as one set when the flows have started', async () => {
    const before = t.gateway.puts.length
    await t.deploy([
      tab(),
      threshold('hot', { device: 'boiler-*', metric: 'temperature', clear: '78', severity: 'high', for: '5s' }),
      threshold('silent', { kind: 'missing', after: '5m' }),
    ])
    await soon(() => t.gateway.puts.length).toBe(before + 1)
    expect(t.gateway.puts.at(-1)).toEqual({
      set: 'flows',
      rules: [
        {
          id: 'hot',
          match: { device: 'boiler-*', metric: 'temperature' },
          above: { raise: 80, clear: 78 },
          severity: 'high',
          for: '5s',
        },
        { id: 'silent', match: {}, missing: { after: '5m' } },
      ],
    })
  })

  test('give the events of their rule at the outputs for raised, cleared and all transitions', async () => {
    await t.deploy([tab(), threshold('warm', {}, [['l1'], ['l2'], ['l3']]), logger('l1'), logger('l2'), logger('l3')])
    await soon(() => t.gateway.listening).toBe(1)
    t.gateway.emit('boiler-1', 'other', 'raised', 'hi')
    t.gateway.emit('boiler-1', 'warm@temperature', 'raised', 'hi')
    t.gateway.emit('boiler-1', 'warm@temperature', 'acknowledge', 'hi')
    t.gateway.emit('boiler-1', 'warm@temperature', 'cleared', null)
    await t.logged(/l3 .*"kind":"cleared"/)
    const said = (id: string): unknown[] =>
      t.log
        .filter((line) => line.includes(`] ${id} {`))
        .map((line) => JSON.parse(line.slice(line.indexOf('{'))).payload.kind)
    expect(said('l1')).toEqual(['raised'])
    expect(said('l2')).toEqual(['cleared'])
    expect(said('l3')).toEqual(['raised', 'acknowledge', 'cleared'])
  })
})

describe('a threshold node that is sent a message', () => {
  beforeAll(async () => {
    await t.deploy([tab(), threshold('limit', {}), ...input('set', ['limit']), catcher('c'), logger('c')])
  })
  const latest = () => t.gateway.puts.at(-1)?.rules

  test('deploys the new limit, and the one of the form after a reset', async () => {
    await soon(latest).toEqual([{ id: 'limit', match: {}, above: 80 }])
    await tell('set', { limits: 70 })
    await soon(latest).toEqual([{ id: 'limit', match: {}, above: 70 }])
    await tell('set', { rule: { severity: 'low', below: { raise: 3, clear: 4 } } })
    await soon(latest).toEqual([{ id: 'limit', match: {}, below: { raise: 3, clear: 4 }, severity: 'low' }])
    await tell('set', { reset: true })
    await soon(latest).toEqual([{ id: 'limit', match: {}, above: 80 }])
  })

  test('sends what makes no limit to Catch, and goes on', async () => {
    await tell('set', { limits: 'hot' })
    await t.logged(/c .*msg.limits: expected a number, or \{raise, clear\}, got \\"hot\\"/)
    await tell('set', { payload: 1 })
    await t.logged(/c .*expected msg.limits, msg.rule or msg.reset/)
    expect(t.flows.status().process).toBe('up')
  })

  test('goes back to what it had when the gateway refuses', async () => {
    t.gateway.refuse = ([rule]) => (rule?.['above'] === 99 ? [{ path: 'rules[0].above', message: 'too high' }] : null)
    await tell('set', { limits: 99 })
    await t.logged(/c .*above: too high/)
    t.gateway.refuse = () => null
    await tell('set', { rule: { severity: 'low' } })
    await soon(latest).toEqual([{ id: 'limit', match: {}, above: 80, severity: 'low' }])
  })

  test('keeps the change over a deploy, until the form is filled in anew', async () => {
    await tell('set', { limits: 60 })
    await soon(latest).toMatchObject([{ above: 60 }])
    const same = [tab(), threshold('limit', {}), ...input('set', ['limit'])]
    const before = t.gateway.puts.length
    await t.deploy(same)
    await soon(() => t.gateway.puts.length).toBe(before + 1)
    expect(latest()).toMatchObject([{ above: 60 }])
    await t.deploy([tab(), threshold('limit', { raise: '90' })])
    await soon(latest).toEqual([{ id: 'limit', match: {}, above: 90 }])
  })
})

describe('several changes at once', () => {
  test('one that is refused takes no other with it', async () => {
    await t.deploy([
      tab(),
      threshold('left'),
      threshold('right'),
      ...input('two', ['left', 'right']),
      catcher('two-c'),
      logger('two-c'),
    ])
    await soon(() => t.gateway.puts.at(-1)?.rules.length).toBe(2)
    t.gateway.refuse = (rules) => {
      const wrong = rules.findIndex(({ id, above }) => id === 'left' && above === 50)
      return wrong < 0 ? null : [{ path: `rules[${wrong}].above`, message: 'too low' }]
    }
    await tell('two', { limits: 50 })
    await t.logged(/two-c .*too low/)
    await soon(() => t.gateway.puts.at(-1)?.rules.map(({ id, above }) => [id, above])).toEqual([
      ['left', 80],
      ['right', 50],
    ])
    t.gateway.refuse = () => null
  })

  test('those sent while the gateway is away are taken in order when it is back', async () => {
    await t.deploy([tab(), threshold('later'), ...input('many', ['later'])])
    await soon(() => t.gateway.puts.at(-1)?.rules).toMatchObject([{ id: 'later', above: 80 }])
    await t.gateway.stop()
    await tell('many', { limits: 1 })
    await tell('many', { rule: { severity: 'low' } })
    await tell('many', { limits: 2 })
    await t.gateway.start()
    await soon(() => t.gateway.puts.at(-1)?.rules).toEqual([{ id: 'later', match: {}, above: 2, severity: 'low' }])
  })
})

describe('a rule that is wrong', () => {
  test('is said at its node, and none is deployed', async () => {
    t.gateway.refuse = () => [{ path: 'rules[1].above', message: 'expected less' }]
    await t.deploy([tab(), threshold('good'), threshold('bad'), catcher('c'), logger('c')])
    await t.logged('c {"topic":"bad","error":"above: expected less"}')
    expect(t.log.some((line) => line.includes('"topic":"good"'))).toBe(false)
    expect(t.gateway.puts.flatMap(({ rules }) => rules.map(({ id }) => id))).not.toContain('good')
    t.gateway.refuse = () => null
  })

  test('that the form alone shows never reaches the gateway', async () => {
    await t.deploy([tab(), threshold('fine'), threshold('odd', { raise: 'eighty' })])
    await t.logged("[tidegate-threshold:odd] raise: expected a number, got 'eighty'")
    await t.deploy([tab(), threshold('one', { ruleId: 'same' }), threshold('two', { ruleId: 'same' })])
    await t.logged("[tidegate-threshold:two] two threshold nodes have the rule id 'same'")
    const sent = t.gateway.puts.flatMap(({ rules }) => rules.map(({ id }) => id))
    expect(sent).not.toContain('fine')
    expect(sent).not.toContain('same')
  })
})

describe('the threshold event node', () => {
  const flow = (more = {}) => [tab(), node('ev', 'tidegate-event', [['e']], more), logger('e')]

  test('gives the events that its filter wants', async () => {
    await t.deploy(flow({ rule: 'pump*', kinds: ['raised'] }))
    await soon(() => t.gateway.listening).toBe(1)
    t.gateway.emit('p-1', 'pump-stuck', 'cleared', null)
    t.gateway.emit('p-1', 'tank', 'raised', 'hi')
    t.gateway.emit('p-9', 'pump-stuck', 'raised', 'hi')
    const line = await t.logged(/\] e .*p-9/)
    expect(JSON.parse(line.slice(line.indexOf('{')))).toMatchObject({
      topic: 'p-9/pump-stuck',
      payload: { kind: 'raised', device: 'p-9', value: 81, unit: 'Cel', severity: 'high', limit: 80 },
    })
    expect(t.log.some((said) => /\] e .*(p-1)/.test(said))).toBe(false)
  })

  test('misses nothing that happens while a deploy replaces it', async () => {
    await t.deploy(flow({ device: 'during-*' }))
    await soon(() => t.gateway.listening).toBe(1)
    for (let i = 0; i < 5; i++) {
      t.gateway.emit(`during-${i}a`, 'r', 'raised', 'hi')
      const deployed = t.deploy(flow({ device: 'during-*', name: `v${i}` }))
      t.gateway.emit(`during-${i}b`, 'r', 'raised', 'hi')
      await deployed
    }
    for (let i = 0; i < 5; i++) {
      await t.logged(`"topic":"during-${i}a/r"`)
      await t.logged(`"topic":"during-${i}b/r"`)
    }
  })
})

describe('the readings node', () => {
  test('gives readings, but not those that flows have published', async () => {
    await t.deploy([tab(), node('rd', 'tidegate-readings', [['r']], { mode: 'all' }), logger('r')])
    await soon(() => t.gateway.tapping).toBe(1)
    t.gateway.reading({ device: 'd', metric: 'own', value: 1, labels: { via: 'node-red' } })
    t.gateway.reading({ device: 'd', metric: 'm', value: 21.5 })
    await t.logged('r {"topic":"d/m","payload":21.5')
    expect(t.log.some((line) => line.includes('d/own'))).toBe(false)
  })
})

describe('the publish node', () => {
  beforeAll(() =>
    t.deploy([
      tab(),
      ...input('pub', ['pb']),
      node('pb', 'tidegate-publish', [['p']], { metric: 'mean', unit: 'Cel' }),
      logger('p'),
      catcher('pc'),
      logger('pc'),
    ]),
  )

  test('publishes at QoS 1 where the gateway says, and goes on when it has been acknowledged', async () => {
    await tell('pub', { device: 'line-1', payload: 20.5 })
    await t.logged('p {"device":"line-1","payload":20.5,"topic":"sensors/line-1/mean"}')
    expect(t.gateway.published).toEqual([
      {
        topic: 'sensors/line-1/mean',
        qos: 1,
        body: {
          value: 20.5,
          unit: 'Cel',
          id: expect.any(String),
          time: expect.any(Number),
          labels: { via: 'node-red' },
        },
      },
    ])
  })

  test('sends what is no reading to Catch', async () => {
    await tell('pub', { device: 'line-1', payload: null })
    await t.logged(/pc .*msg.payload: expected a number/)
    await tell('pub', { device: 'a/b', payload: 1 })
    await t.logged(/pc .*without \+, # and \//)
    await tell('pub', { payload: 1 })
    await t.logged(/pc .*msg.device: expected the name of a device/)
  })
})

describe('the alarm action node', () => {
  beforeAll(() =>
    t.deploy([
      tab(),
      ...input('act', ['al']),
      node('al', 'tidegate-alarm', [['a']], { action: 'acknowledge', by: 'Kim' }),
      logger('a'),
      catcher('ac'),
      logger('ac'),
    ]),
  )

  test('acts on the alarm that the message is about', async () => {
    await tell('act', { payload: { device: 'boiler-1', rule: 'hot' }, comment: 'seen' })
    await t.logged('a {"payload":{"id":"boiler-1/hot/')
    expect(t.gateway.acts).toEqual([
      { device: 'boiler-1', rule: 'hot', action: 'acknowledge', by: 'Kim', comment: 'seen' },
    ])
  })

  test('sends what cannot be done to Catch', async () => {
    await tell('act', { action: 'explode', payload: { device: 'boiler-1', rule: 'hot' } })
    await t.logged(/ac .*action: expected one of acknowledge/)
    t.gateway.refuseAct = { status: 409, code: 'ALARM_ACTION_REFUSED', message: 'it is normal' }
    await tell('act', { payload: { device: 'boiler-1', rule: 'hot' } })
    await t.logged(/ac .*it is normal/)
    t.gateway.refuseAct = null
  })
})

describe('a gateway that goes away and comes back', () => {
  test('gets the rules again, and its events go on where they were', async () => {
    await t.deploy([tab(), threshold('again', {}, [[], [], ['g']]), logger('g')])
    await soon(() => t.gateway.listening).toBe(1)
    t.gateway.emit('x-1', 'again', 'raised', 'hi')
    await t.logged('g {"topic":"x-1/again"')
    await t.gateway.stop()
    t.gateway.emit('x-2', 'again', 'raised', 'hi')
    const before = t.gateway.puts.length
    await t.gateway.start()
    await t.logged('g {"topic":"x-2/again"')
    await soon(() => t.gateway.puts.length).toBeGreaterThan(before)
    expect(t.log.filter((line) => line.includes('g {"topic":"x-1/again"'))).toHaveLength(1)
  })
})
