import { describe, expect, it } from 'vitest'
import { readOverrides, variableName } from '../../../gateway/config/environment.ts'
import { valueKeys } from '../../../gateway/config/keys.ts'

const overridesOf = (env: Record<string, string>) =>
  Object.fromEntries(readOverrides(env).overrides.map(({ path, value }) => [path.join('.'), value]))

describe('variable names', () => {
  it('are the path in capitals', () => {
    expect(variableName(['central', 'retry', 'min'])).toBe('TIDEGATE_CENTRAL_RETRY_MIN')
    expect(variableName(['outbox', 'retainAcked', 'bytes'])).toBe('TIDEGATE_OUTBOX_RETAIN_ACKED_BYTES')
    expect(variableName(['dataDir'])).toBe('TIDEGATE_DATA_DIR')
  })

  it('are different for every key, and none is the one that names the file', () => {
    const names = valueKeys().map(({ path }) => variableName(path))
    expect(new Set(names).size).toBe(names.length)
    expect(names).not.toContain('TIDEGATE_CONFIG')
  })
})

describe('readOverrides', () => {
  it('leaves texts, sizes and durations as they are written', () => {
    const env = { TIDEGATE_CENTRAL_PASSWORD: '0123', TIDEGATE_OUTBOX_MAX_BYTES: '5GB', TIDEGATE_SITE: 'true' }
    expect(overridesOf(env)).toEqual({ 'central.password': '0123', 'outbox.maxBytes': '5GB', site: 'true' })
  })

  it('reads numbers and truth values', () => {
    const env = { TIDEGATE_CENTRAL_REPLICAS: '3', TIDEGATE_CENTRAL_PROVISION: 'false' }
    expect(overridesOf(env)).toEqual({ 'central.replicas': 3, 'central.provision': false })
  })

  it('reads a number where a word would do too', () => {
    expect(overridesOf({ TIDEGATE_FORWARD_PACE_PACKS_PER_SECOND: '2.5' })).toEqual({
      'forward.pace.packsPerSecond': 2.5,
    })
    expect(overridesOf({ TIDEGATE_FORWARD_PACE_PACKS_PER_SECOND: 'unlimited' })).toEqual({
      'forward.pace.packsPerSecond': 'unlimited',
    })
  })

  it('reads lists of texts with commas or as YAML', () => {
    const servers = ['nats://a:4222', 'nats://b:4222']
    expect(overridesOf({ TIDEGATE_CENTRAL_SERVERS: 'nats://a:4222, nats://b:4222' })['central.servers']).toEqual(
      servers,
    )
    expect(overridesOf({ TIDEGATE_CENTRAL_SERVERS: '["nats://a:4222", "nats://b:4222"]' })['central.servers']).toEqual(
      servers,
    )
  })

  it('reads lists of sections as YAML', () => {
    expect(overridesOf({ TIDEGATE_MQTT_LISTENERS: '[{kind: tcp, port: 1884}]' })).toEqual({
      'mqtt.listeners': [{ kind: 'tcp', port: 1884 }],
    })
  })

  it('takes an empty variable for one that is not set', () => {
    expect(readOverrides({ TIDEGATE_CENTRAL_TOKEN: '' })).toEqual({ overrides: [], problems: [] })
  })

  it('names the variable that an unknown one was probably meant to be', () => {
    expect(readOverrides({ TIDEGATE_CENTRAL_SERVER: 'x' }).problems).toEqual([
      {
        where: 'environment',
        path: 'TIDEGATE_CENTRAL_SERVER',
        message: 'no key has this variable; did you mean TIDEGATE_CENTRAL_SERVERS?',
      },
    ])
  })

  it('is not bothered by what Kubernetes puts beside a service called tidegate', () => {
    const env = {
      TIDEGATE_SERVICE_HOST: '10.0.0.1',
      TIDEGATE_SERVICE_PORT_MQTT: '1883',
      TIDEGATE_PORT: 'tcp://10.0.0.1:1883',
      TIDEGATE_PORT_1883_TCP_ADDR: '10.0.0.1',
      TIDEGATE_MAIN_PORT_1883_TCP: 'tcp://10.0.0.1:1883',
      TIDEGATE_CONFIG: '/etc/tidegate.yaml',
      PATH: '/bin',
    }
    expect(readOverrides(env)).toEqual({ overrides: [], problems: [] })
  })
})
