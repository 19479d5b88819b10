import { describe, expect, it } from 'vitest'
import { checkRules, parseRules, RulesError, ruleSetJsonSchema } from '../../../gateway/rules/index.ts'

function problemsOf(read: () => unknown): string[] {
  try {
    read()
  } catch (error) {
    if (!(error instanceof RulesError)) throw error
    expect(error.code).toBe('RULES_INVALID')
    const lines = error.message.split('\n').slice(1)
    expect(lines).toHaveLength(error.problems.length)
    return lines.map((line) => line.trim())
  }
  return []
}

const problems = (text: string): string[] => problemsOf(() => parseRules(text, 'rules.yaml'))

const KINDS = 'above, below, outside, inside, ladder, rate, stuck, missing, deviation or when'

/** One rule in the file, on line 2. */
const rule = (keys: string): string => `rules:\n  - { id: a, match: {}, ${keys} }\n`

describe('a valid rule set', () => {
  it('may have every kind of condition, and comes out as the engine takes it', () => {
    const set = parseRules(
      `
defaults: { severity: low, for: 10s }
lateness: 2s
rules:
  - id: hot
    match: { device: oven-*, metric: temperature }
    above: { raise: 80, clear: 75 }
    overrides:
      - { match: { device: oven-7 }, above: 90, for: 1m }
  - { id: silent, match: {}, missing: { after: 5m } }
  - { id: ladder, match: { metric: p }, ladder: { lolo: 1, lo: 2, hi: { raise: 8, severity: high }, hihi: 9 } }
  - { id: both, match: {}, when: { all: [{ metric: a, above: 1 }, { not: { metric: b, is: true } }] } }
`,
      'rules.yaml',
    )
    expect(set).toMatchObject({
      defaults: { severity: 'low', for: 10_000 },
      lateness: 2000,
      rules: [
        {
          id: 'hot',
          match: { device: 'oven-*', metric: 'temperature', labels: {} },
          above: { raise: 80, clear: 75 },
          overrides: [{ match: { device: 'oven-7' }, above: { raise: 90, clear: 90 }, for: 60_000 }],
        },
        { id: 'silent', missing: { after: 300_000 }, overrides: [] },
        { id: 'ladder' },
        {
          id: 'both',
          when: { all: [{ metric: 'a', above: { raise: 1, clear: 1 } }, { not: { metric: 'b', is: true } }] },
        },
      ],
    })
  })

  it('may be JSON, or an object that came over HTTP', () => {
    const rules = { rules: [{ id: 'a', match: {}, above: 1 }] }
    expect(parseRules(JSON.stringify(rules), 'rules.json')).toEqual(checkRules(rules))
  })

  it('takes sections with nothing in them for sections that are not there', () => {
    const text = 'defaults:\nrules:\n  - id: a\n    match: {}\n    above: 1\n    below:\n    overrides:\n'
    expect(parseRules(text, 'rules.yaml')).toEqual(checkRules({ rules: [{ id: 'a', match: {}, above: 1 }] }))
  })

  it('may have defaults that mean nothing to some of its rules', () => {
    const text = 'defaults: { for: 1m, of: { m: 2, n: 3 } }\nrules:\n  - { id: a, match: {}, missing: { after: 1m } }\n'
    expect(problems(text)).toEqual([])
  })
})

describe('an invalid rule set', () => {
  it('gets every problem named at once, with its line', () => {
    const text = `lateness: 2h
defaults: { severity: urgent }
rules:
  - id: a
    match: { device: 7 }
    above: { raise: 80, clear: 90 }
  - id: a
    match: {}
    abve: 5
  - id: b
    match: {}
    missing: { after: 5m }
    for: 10s
`
    expect(problems(text)).toEqual([
      "rules.yaml:1: lateness: expected a duration of at most 1h, got '2h'",
      "rules.yaml:2: defaults.severity: expected one of critical, high, medium, low, info, got 'urgent'",
      'rules.yaml:5: rules[0].match.device: expected a text, got 7',
      'rules.yaml:6: rules[0].above: expected clear to be at most raise (80), not 90',
      "rules.yaml:7: rules[1].id: expected an id of its own, but rules[0] is 'a' too",
      "rules.yaml:9: rules[1].abve: unknown key; did you mean 'above'?",
      'rules.yaml:13: rules[2].for: expected no `for` with missing: `missing.after` is how long it waits',
    ])
  })

  it.each([
    // The shape.
    ['', 'rules.yaml: rules: expected a list, but it is not given'],
    ['just a text', "rules.yaml: expected a section of keys, got 'just a text'"],
    ['rules: []\nrule: []', "rules.yaml:2: rule: unknown key; did you mean 'rules'?"],
    ['rules: [7]', 'rules.yaml:1: rules[0]: expected a section of keys, got 7'],
    ['rules: []\nrules: []', 'rules.yaml:2: not valid YAML: map keys must be unique'],
    ['rules: *x', 'rules.yaml: not valid YAML: Unresolved alias (the anchor must be set before the alias): x'],
    ['rules: &a [*a]', 'rules.yaml: expected at most 100 levels of sections in sections'],
    [
      'rules:\n  - { id: a, above: 1 }',
      'rules.yaml:2: rules[0].match: expected a section of keys, but it is not given',
    ],
    [
      'rules:\n  - { id: a@b, match: {}, above: 1 }',
      "rules.yaml:2: rules[0].id: expected an id without '@', got 'a@b'",
    ],
    [
      'rules:\n  - { id: "", match: {}, above: 1 }',
      "rules.yaml:2: rules[0].id: expected a text that is not empty, got ''",
    ],
    [
      rule('above: 1, for: 10'),
      'rules.yaml:2: rules[0].for: expected a duration with its unit (ms, s, m, h, d, w, y) such as 250ms, 30s or 1h30m, got 10',
    ],
    [rule('above: 1, latch: 1'), 'rules.yaml:2: rules[0].latch: expected true or false, got 1'],
    [rule('above: 1, labels: { line: 5 }'), 'rules.yaml:2: rules[0].labels.line: expected a text, got 5'],
    [rule('above: 1, labels: x'), "rules.yaml:2: rules[0].labels: expected a map of names to texts, got 'x'"],
    // Conditions.
    [rule('above: .inf'), 'rules.yaml:2: rules[0].above: expected a number, or a section of keys, got Infinity'],
    [rule('above: high'), "rules.yaml:2: rules[0].above: expected a number, or a section of keys, got 'high'"],
    [rule('above: { raise: x }'), "rules.yaml:2: rules[0].above.raise: expected a number, got 'x'"],
    [rule('above: { raise: 1, claer: 0 }'), "rules.yaml:2: rules[0].above.claer: unknown key; did you mean 'clear'?"],
    [
      rule('below: { raise: 20, clear: 10 }'),
      'rules.yaml:2: rules[0].below: expected clear to be at least raise (20), not 10',
    ],
    [rule('inside: { low: 5, high: 5 }'), 'rules.yaml:2: rules[0].inside: expected low to be below high (5), not 5'],
    [
      rule('outside: { low: 5, high: 10, hysteresis: 6 }'),
      'rules.yaml:2: rules[0].outside: expected hysteresis to be at most the width of the band (5), not 6',
    ],
    [
      rule('outside: { low: 5, high: 10, hysteresis: -1 }'),
      'rules.yaml:2: rules[0].outside.hysteresis: expected a number of at least 0, got -1',
    ],
    [rule('ladder: { hi: {} }'), 'rules.yaml:2: rules[0].ladder.hi.raise: expected a number, but it is not given'],
    [rule('ladder: {}'), 'rules.yaml:2: rules[0].ladder: expected at least one of hihi, hi, lo and lolo'],
    [rule('ladder: { hii: 5 }'), "rules.yaml:2: rules[0].ladder.hii: unknown key; did you mean 'hi'?"],
    [rule('rate: { per: 1s }'), 'rules.yaml:2: rules[0].rate: expected rise, fall or both'],
    [
      rule('rate: { fall: -5 }'),
      'rules.yaml:2: rules[0].rate: expected rise and fall to be at least 0: how fast it falls is a positive number too',
    ],
    [
      rule('deviation: { sigmas: 3, weight: 1 }'),
      'rules.yaml:2: rules[0].deviation.weight: expected a number less than 1, got 1',
    ],
    [
      rule('deviation: { sigmas: { raise: 3, clear: -1 } }'),
      'rules.yaml:2: rules[0].deviation: expected sigmas to clear at 0 or more: a deviation is never less, so the alarm could not clear',
    ],
    [rule('above: 1, of: { m: 4, n: 3 }'), 'rules.yaml:2: rules[0].of: expected m to be at most n (3), not 4'],
    // Tests over several metrics.
    [rule('when: { metric: a, abov: 5 }'), "rules.yaml:2: rules[0].when.abov: unknown key; did you mean 'above'?"],
    [
      rule('when: { all: [{ not: { any: [{ metric: a, is: 1, above: 2 }] } }] }'),
      'rules.yaml:2: rules[0].when.all[0].not.any[0]: expected exactly one of above, below, is, got above and is',
    ],
    [rule('when: { metric: a }'), 'rules.yaml:2: rules[0].when: expected exactly one of above, below, is, got none'],
    [
      rule('when: { above: 5 }'),
      'rules.yaml:2: rules[0].when: expected exactly one of all, any, not, metric, got none',
    ],
    [
      rule('when: { all: [{ metric: a, is: 1 }], above: 5 }'),
      'rules.yaml:2: rules[0].when: expected above, below and is beside a metric, not beside all',
    ],
    [rule('when: { any: [] }'), 'rules.yaml:2: rules[0].when.any: expected a list of at least 1, got an empty list'],
    [
      rule('when: { metric: a, is: [1] }'),
      'rules.yaml:2: rules[0].when.is: expected a number, or true or false, or a text, got the list [1]',
    ],
    [
      'rules:\n  - { id: a, match: { metric: a }, when: { metric: b, is: 1 } }',
      "rules.yaml:2: rules[0].match.metric: expected no metric: `when` names those that it looks at (b), got 'a'",
    ],
    [
      rule('when: { metric: b, is: 1 }, overrides: [{ match: { metric: b }, for: 1s }]'),
      "rules.yaml:2: rules[0].overrides[0].match.metric: expected no metric: the rule decides once for all its metrics, got 'b'",
    ],
    [
      rule('when: { metric: b, is: 1 }, overrides: [{ match: {}, when: { metric: c, is: 1 } }]'),
      'rules.yaml:2: rules[0].overrides[0].when: expected metrics that the rule itself names (b), got c',
    ],
    // What belongs together.
    [
      rule('above: 5, below: 1'),
      `rules.yaml:2: rules[0]: expected exactly one condition (${KINDS}), got above and below`,
    ],
    [rule('for: 5s'), `rules.yaml:2: rules[0]: expected exactly one condition (${KINDS}), got none`],
    [
      rule('above: 5, overrides: [{ match: {}, below: 1 }]'),
      'rules.yaml:2: rules[0].overrides[0].below: expected no other condition than that of its rule (above), got below',
    ],
    [
      rule('above: 5, overrides: [{ match: { device: x } }]'),
      'rules.yaml:2: rules[0].overrides[0]: expected something that it changes beside `match`',
    ],
    [
      'rules:\n  - { id: a, match: { device: oven-* }, above: 5, overrides: [{ match: { device: press }, above: 6 }] }',
      'rules.yaml:2: rules[0].overrides[0].match: expected a part of what the rule is about, but nothing can fit both',
    ],
    [
      rule('missing: { after: 1m }, of: { m: 1, n: 2 }'),
      'rules.yaml:2: rules[0].of: expected no `of` with missing: while no readings come there are none to count',
    ],
    [
      rule('stuck: { after: 1m }, of: { m: 1, n: 2 }'),
      'rules.yaml:2: rules[0].of: expected no `of` with stuck: each reading already says how long the value has not moved',
    ],
    [
      rule('stuck: { after: 1m }, overrides: [{ match: { device: x }, for: 1s }]'),
      'rules.yaml:2: rules[0].overrides[0].for: expected no `for` with stuck: `stuck.after` is how long it waits',
    ],
    [
      rule('when: { metric: b, is: 1 }, of: { m: 1, n: 2 }'),
      'rules.yaml:2: rules[0].of: expected no `of` with when: the metrics come at their own pace, and the fastest would count most; `for` waits instead',
    ],
    // The order of a ladder's levels.
    [
      rule('ladder: { hi: 90, hihi: 90 }'),
      'rules.yaml:2: rules[0].ladder.hihi: expected levels in the order lolo < lo < hi < hihi, but hi (90) is not below hihi (90)',
    ],
    [
      rule('ladder: { lo: 20, hi: { raise: 80, clear: 10 } }'),
      'rules.yaml:2: rules[0].ladder.hi: expected levels in the order lolo < lo < hi < hihi, but hi clears at 10, below lo (20)',
    ],
    [
      rule('ladder: { hi: 80, hihi: 90 }, overrides: [{ match: { device: x }, ladder: { hi: 95 } }]'),
      'rules.yaml:2: rules[0].overrides[0].ladder.hi: expected levels in the order lolo < lo < hi < hihi, but hi (95) is not below hihi (90); hihi is that of the rule, which may hold for the same series',
    ],
    [
      rule(
        'ladder: { hi: 80, hihi: 90 }, overrides: [{ match: { device: x* }, ladder: { hi: 60, hihi: 70 } }, { match: { device: x1 }, ladder: { hi: 85 } }]',
      ),
      'rules.yaml:2: rules[0].overrides[1].ladder.hi: expected levels in the order lolo < lo < hi < hihi, but hi (85) is not below hihi (70); hihi is that of overrides[0], which may hold for the same series',
    ],
  ])('such as %j is refused', (text, problem) => {
    expect(problems(text)).toEqual([problem])
  })

  it.each([
    [
      'two devices',
      '{ match: { device: x }, ladder: { hi: 95, hihi: 99 } }, { match: { device: y }, ladder: { hihi: 81 } }',
    ],
    [
      'both steps at once',
      '{ match: { device: x* }, ladder: { hihi: 81 } }, { match: { device: x1 }, ladder: { hi: 95, hihi: 99 } }',
    ],
    [
      'two labels',
      '{ match: { labels: { line: a } }, ladder: { hi: 95, hihi: 99 } }, { match: { labels: { line: b* } }, ladder: { hihi: 81 } }',
    ],
  ])('is not one whose overrides never meet: %s', (_, overrides) => {
    expect(problems(rule(`ladder: { hi: 80, hihi: 90 }, overrides: [${overrides}]`))).toEqual([])
  })

  it('has no lines when it came as an object', () => {
    expect(problemsOf(() => checkRules({ rules: [{ id: 'a', match: {}, above: 'x' }] }, 'request'))).toEqual([
      "request: rules[0].above: expected a number, or a section of keys, got 'x'",
    ])
  })

  it('is refused in good time however deep it is', () => {
    let when: unknown = { metric: 'a', is: 1 }
    for (let depth = 0; depth < 40; depth++) when = { all: [when] }
    const set = (test: unknown) => ({ rules: [{ id: 'a', match: {}, when: test }] })
    expect(problemsOf(() => checkRules(set({ not: when })))).toEqual([])
    expect(problemsOf(() => checkRules(set({ not: [when] })))).toHaveLength(1)
    for (let depth = 0; depth < 50_000; depth++) when = { not: when }
    expect(problemsOf(() => checkRules(set(when)))).toEqual([
      'rules: expected at most 100 levels of sections in sections',
    ])
  })

  it('is refused in good time however many overrides it has', () => {
    const overrides = Array.from({ length: 10_000 }, (_, i) => ({
      match: { device: `d${i}` },
      ladder: { hi: i, hihi: i + 1 },
    }))
    const set = { rules: [{ id: 'a', match: {}, ladder: { hi: 1, hihi: 2 }, overrides }] }
    const start = performance.now()
    expect(problemsOf(() => checkRules(set))).toEqual([])
    expect(performance.now() - start).toBeLessThan(5000)
  })
})

describe('the JSON Schema for editors', () => {
  it('describes what people write, tests inside tests included', () => {
    const schema = ruleSetJsonSchema()
    const rule = schema.properties?.['rules']?.items
    expect(schema.required).toEqual(['rules'])
    expect(rule?.required).toEqual(['id', 'match'])
    expect(rule?.properties?.['for']).toMatchObject({ type: 'string', pattern: expect.stringContaining('ms|s|m') })
    const name = String(rule?.properties?.['when']?.['$ref']).replace('#/$defs/', '')
    const test = schema.$defs?.[name]
    expect(Object.keys(test?.properties ?? {})).toEqual(['all', 'any', 'not', 'metric', 'above', 'below', 'is'])
    expect(test?.properties?.['all']?.items).toEqual({ $ref: `#/$defs/${name}` })
  })
})
