import { describe, expect, it } from 'vitest'
import { type Config, ConfigError, parseConfig } from '../../../gateway/config/index.ts'

const MINIMAL = 'site: plant-1\ngateway: gw-1\n'
const SECRET = 'secret: 0123456789abcdef'

const parse = (text: string, env: Record<string, string> = {}): Config =>
  parseConfig(text, env, { name: 'plant.yaml', folder: '/srv/site' })

function problemsOf(text: string, env: Record<string, string> = {}): string[] {
  try {
    parse(text, env)
  } catch (error) {
    if (error instanceof ConfigError) {
      return error.message
        .split('\n')
        .slice(1)
        .map((line) => line.trim())
    }
    throw error
  }
  return []
}

describe('a valid configuration', () => {
  it('needs only a site and a gateway', () => {
    const config = parse(MINIMAL)
    expect(config.site).toBe('plant-1')
    expect(config.mqtt.listeners).toEqual([{ kind: 'tcp', host: '127.0.0.1', port: 1883 }])
    expect(config.ingest.topics).toContainEqual({ template: 'sensors/{device}/{metric}' })
    expect(config.outbox).toMatchObject({ maxBytes: 10e9, maxAge: null, whenFull: 'reject' })
    expect(config.outbox.retainAcked).toEqual({ bytes: 256e6, age: 3_600_000 })
    expect(config.central).toMatchObject({ servers: ['nats://127.0.0.1:4222'], ackTimeout: 5000, maxBytes: null })
    expect(config.forward.pace).toEqual({ bytesPerSecond: null, packsPerSecond: null, jitter: 250 })
    expect(config.log.level).toBe('info')
  })

  it('has sizes in bytes and durations in milliseconds', () => {
    const text = `${MINIMAL}outbox: { maxBytes: 20GiB, maxAge: 7d }\nforward: { pace: { bytesPerSecond: 1MB } }\n`
    const config = parse(text)
    expect(config.outbox.maxBytes).toBe(20 * 2 ** 30)
    expect(config.outbox.maxAge).toBe(604_800_000)
    expect(config.forward.pace.bytesPerSecond).toBe(1_000_000)
  })

  it('takes sections with nothing in them for sections that are not there', () => {
    expect(parse(`${MINIMAL}outbox:\n  # maxBytes: 1GB\ncentral:\n  retry:\n`)).toEqual(parse(MINIMAL))
  })

  it('has the variables of the environment over the file', () => {
    const text = `${MINIMAL}central: { ackTimeout: 9s }\n`
    const config = parse(text, { TIDEGATE_CENTRAL_ACK_TIMEOUT: '3s', TIDEGATE_OUTBOX_BLOCK_MAX_RECORDS: '100' })
    expect(config.central.ackTimeout).toBe(3000)
    expect(config.outbox.block.maxRecords).toBe(100)
  })

  it('can come from the environment alone', () => {
    expect(parse('', { TIDEGATE_SITE: 'plant-1', TIDEGATE_GATEWAY: 'gw-1' })).toEqual(parse(MINIMAL))
  })

  it('has absolute paths, taken from the folder of the file', () => {
    const config = parse(`${MINIMAL}
mqtt:
  listeners:
    - { kind: tls, cert: tls/server.crt, key: /etc/server.key, ca: ca.crt }
    - { kind: unix, path: run/mqtt.sock }
central:
  credentials: gw.creds
  tls: { ca: central.crt }
failover:
  peers: [{ gateway: b, url: 'mqtts://b', ca: site.crt }, { gateway: c, url: 'mqtt://c:1884' }]
  secretFile: site.secret
`)
    expect(config.dataDir).toBe('/srv/site/data')
    expect(config.mqtt.listeners).toEqual([
      {
        kind: 'tls',
        host: '127.0.0.1',
        port: 8883,
        cert: '/srv/site/tls/server.crt',
        key: '/etc/server.key',
        ca: '/srv/site/ca.crt',
      },
      { kind: 'unix', path: '/srv/site/run/mqtt.sock' },
    ])
    expect(config.central.credentials).toBe('/srv/site/gw.creds')
    expect(config.central.tls).toEqual({ ca: '/srv/site/central.crt' })
    expect(config.failover.secretFile).toBe('/srv/site/site.secret')
    expect(config.failover.peers).toEqual([
      { gateway: 'b', url: 'mqtts://b', ca: '/srv/site/site.crt' },
      { gateway: 'c', url: 'mqtt://c:1884' },
    ])
  })
})

describe('an invalid configuration', () => {
  it('gets every problem named at once, with its line, what was expected and what came', () => {
    const text = `site: 5
mqtt:
  listeners:
    - kind: udp
    - kind: tls
      port: 99999
outbox:
  maxBytes: 10 gigs
  whenFull: drop
central:
  servers: [foo]
  ackTimeout: 5
  provision: maybe
`
    expect(problemsOf(text)).toEqual([
      'plant.yaml:1: site: expected a text, got 5',
      'plant.yaml: gateway: expected a text, but it is not given',
      "plant.yaml:4: mqtt.listeners[0].kind: expected one of tcp, tls, ws, wss, unix, got 'udp'",
      'plant.yaml:6: mqtt.listeners[1].port: expected a number of at most 65535, got 99999',
      'plant.yaml:5: mqtt.listeners[1].cert: expected a text, but it is not given',
      'plant.yaml:5: mqtt.listeners[1].key: expected a text, but it is not given',
      "plant.yaml:8: outbox.maxBytes: expected a size such as 10GB (10^10 bytes), 512KiB (512 x 1024) or a plain number of bytes, got '10 gigs'",
      "plant.yaml:9: outbox.whenFull: expected one of reject, evict, got 'drop'",
      "plant.yaml:11: central.servers[0]: expected a server address such as nats://host:4222 or tls://host:4222, got 'foo'",
      'plant.yaml:12: central.ackTimeout: expected a duration with its unit (ms, s, m, h, d, w, y) such as 250ms, 30s or 1h30m, got 5',
      "plant.yaml:13: central.provision: expected true or false, got 'maybe'",
    ])
  })

  it('gets unknown keys named, with the key that was meant', () => {
    const text = `${MINIMAL}centrall: {}
outbox:
  retainAckd: { bytes: 1MB }
mqtt:
  listeners:
    - { kind: tcp, prot: 1 }
log: { zebra: 1 }
`
    expect(problemsOf(text).toSorted()).toEqual([
      "plant.yaml:3: centrall: unknown key; did you mean 'central'?",
      "plant.yaml:5: outbox.retainAckd: unknown key; did you mean 'retainAcked'?",
      "plant.yaml:8: mqtt.listeners[0].prot: unknown key; did you mean 'port'?",
      'plant.yaml:9: log.zebra: unknown key; known here: level',
    ])
  })

  it('gets problems of variables laid at the door of the variable', () => {
    const env = {
      TIDEGATE_FORWARD_LINGER: 'x',
      TIDEGATE_MQTT_LISTENERS: '[{kind: tcp, port: -1}]',
      TIDEGATE_SIGHT: 'a',
    }
    expect(problemsOf(MINIMAL, env)).toEqual([
      'environment: TIDEGATE_MQTT_LISTENERS [0].port: expected a number of at least 0, got -1',
      "environment: TIDEGATE_FORWARD_LINGER: expected a duration with its unit (ms, s, m, h, d, w, y) such as 250ms, 30s or 1h30m, got 'x'",
      'environment: TIDEGATE_SIGHT: no key has this variable; did you mean TIDEGATE_SITE?',
    ])
  })

  it('gets syntax errors and repeated keys with their line', () => {
    expect(problemsOf('site: a\nsite: b\n')).toEqual(['plant.yaml:2: not valid YAML: map keys must be unique'])
    expect(problemsOf('site: [a\n')[0]).toMatch(/^plant\.yaml:\d: not valid YAML: flow sequence/)
  })

  it('gets a text where the whole configuration should be named', () => {
    expect(problemsOf('just a text')).toEqual(["plant.yaml: expected a section of keys, got 'just a text'"])
  })

  it('never shows a secret', () => {
    const [problem] = problemsOf(`${MINIMAL}central: { user: a, password: 12345 }\n`)
    expect(problem).toBe(
      'plant.yaml:3: central.password: expected a text, got something else (not shown: it is a secret)',
    )
  })
})

describe('what must hold between keys', () => {
  it.each([
    [
      'central: { retry: { min: 2s, max: 1s } }',
      "plant.yaml:3: central.retry.min: expected at most central.retry.max (1s), got '2s'",
    ],
    [
      'forward: { pack: { maxBytes: 8KiB } }\noutbox: { block: { maxBytes: 4KiB } }',
      "plant.yaml:3: forward.pack.minBytes: expected at most forward.pack.maxBytes (8KiB), got its default '16KiB'",
    ],
    [
      'central: { user: a, password: b, token: c }',
      "plant.yaml:3: central.user: expected one way to sign in to the centre, not user and token, got 'a'",
    ],
    [
      'central: { user: a }',
      'plant.yaml:3: central.password: expected central.user and central.password together, or neither, but it is not given',
    ],
    [
      'central: { tls: { cert: a } }',
      'plant.yaml:3: central.tls: expected central.tls.cert and central.tls.key together, or neither',
    ],
    [
      'mqtt: { listeners: [{ kind: tcp, port: 1 }, { kind: ws, port: 1 }] }',
      "plant.yaml:3: mqtt.listeners: expected an address for every listener; '127.0.0.1:1' is used twice",
    ],
    [
      'ingest: { maxPayload: 1MB }',
      "plant.yaml:3: ingest.maxPayload: expected a payload that fits into mqtt.limits.maxPacket (256KiB) with a topic of mqtt.limits.maxTopicBytes (1024), got '1MB'",
    ],
    [
      'outbox: { maxBytes: 100MB }',
      "plant.yaml:3: outbox.maxBytes: expected more than outbox.retainAcked.bytes (256MB) and four blocks, or nothing new would fit, got '100MB'",
    ],
    [
      'central: { replicas: 2 }',
      'plant.yaml:3: central.replicas: expected 1, 3 or 5: an even number of replicas survives no more failures than one less, got 2',
    ],
    [
      `failover: { peers: [{ gateway: gw-1, url: 'mqtt://b' }], ${SECRET} }`,
      "plant.yaml:3: failover.peers: expected gateways other than this one, but one is called 'gw-1' too",
    ],
    [
      `failover: { peers: [{ gateway: b, url: 'mqtt://b' }, { gateway: b, url: 'mqtt://c' }], ${SECRET} }`,
      "plant.yaml:3: failover.peers: expected a name of its own for every peer, but two are called 'b'",
    ],
    [
      `failover: { peers: [{ gateway: b, url: 'mqtt://b', ca: site.crt }], ${SECRET} }`,
      "plant.yaml:3: failover.peers: expected an mqtts:// address where there is a `ca`, but 'b' has mqtt://b",
    ],
    [
      "failover: { peers: [{ gateway: b, url: 'mqtt://b' }], secret: short }",
      'plant.yaml:3: failover.secret: expected at least 16 characters, got something else (not shown: it is a secret)',
    ],
    [
      "failover: { peers: [{ gateway: b, url: 'mqtt://b' }] }",
      'plant.yaml:3: failover.secret: expected a secret that the peers know too, here or in failover.secretFile, but it is not given',
    ],
    [
      `failover: { peers: [{ gateway: b, url: 'mqtt://b' }], ${SECRET}, secretFile: s }`,
      'plant.yaml:3: failover.secret: expected either failover.secret or failover.secretFile, got something else (not shown: it is a secret)',
    ],
    [
      `failover: { peers: [{ gateway: b, url: 'ws://b' }], ${SECRET} }`,
      "plant.yaml:3: failover.peers[0].url: expected the address of one of the peer's MQTT listeners, such as mqtt://host:1883 or mqtts://host:8883, got 'ws://b'",
    ],
    [
      'failover: { durability: replicated }',
      "plant.yaml:3: failover.durability: expected failover.peers where readings are replicated to, got 'replicated'",
    ],
    [
      "ingest: { topics: [{ template: 'a/{device}', durability: replicated }] }",
      "plant.yaml: failover.durability: expected failover.peers, because ingest.topics has a topic with 'replicated', got its default 'local'",
    ],
    [
      'failover: { heartbeat: 1s }',
      "plant.yaml:3: failover.awayAfter: expected at least three times failover.heartbeat (1s), so that one late sign of life is no end, got its default '2s'",
    ],
    [
      'failover: { takeoverAfter: 1s }',
      "plant.yaml:3: failover.takeoverAfter: expected at least failover.awayAfter (2s), got '1s'",
    ],
    [
      `failover: { peers: [{ gateway: a-rather-long-name, url: 'mqtt://b' }], ${SECRET} }\nmqtt: { limits: { maxClientIdBytes: 23 } }`,
      "plant.yaml:3: failover.peers: expected names that fit into mqtt.limits.maxClientIdBytes and mqtt.limits.maxTopicBytes, but 'a-rather-long-name' is too long",
    ],
  ])('refuses %s', (text, problem) => {
    expect(problemsOf(`${MINIMAL}${text}\n`)).toEqual([problem])
  })

  it('lets several listeners take any free port', () => {
    expect(problemsOf(`${MINIMAL}mqtt: { listeners: [{ kind: tcp, port: 0 }, { kind: ws, port: 0 }] }\n`)).toEqual([])
  })

  it('includes topics that gateways can tell apart', () => {
    const [problem] = problemsOf(`${MINIMAL}ingest: { topics: [{ template: 'a/{metric}' }] }\n`)
    expect(problem).toMatch(/^plant\.yaml:3: ingest\.topics: expected topics that can be told apart, but .*no level is/)
  })

  it('is said together with problems elsewhere, but not on top of problems with the same keys', () => {
    const text = `${MINIMAL}central: { retry: { min: 2s, max: soon }, replicas: 4 }\nlog: { level: loud }\n`
    expect(problemsOf(text).map((problem) => problem.split(': ')[1])).toEqual([
      'central.retry.max',
      'log.level',
      'central.replicas',
    ])
  })
})
