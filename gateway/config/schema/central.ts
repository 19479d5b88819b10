import { z } from 'zod'
import { choice, duration, durationOr, filePath, flag, integer, secret, sizeOr, text } from '../fields.ts'

const tls = z.strictObject({
  ca: filePath(
    "Certificate authority of the servers, PEM; the system's own when not set.",
    '/etc/tidegate/tls/central-ca.crt',
  ).optional(),
  cert: filePath('Client certificate, PEM (with `key`).', '/etc/tidegate/tls/gateway.crt').optional(),
  key: filePath(
    'Private key of the client certificate, PEM (with `cert`).',
    '/etc/tidegate/tls/gateway.key',
  ).optional(),
})

/** The NATS JetStream cluster that readings go to. */
export const central = z
  .strictObject({
    servers: z
      .array(
        z
          .string()
          .regex(/^(nats|tls|wss?):\/\/[^\s/@]+$/, 'a server address such as nats://host:4222 or tls://host:4222'),
      )
      .min(1)
      .prefault(['nats://127.0.0.1:4222'])
      .meta({ description: 'Servers of the cluster; any one that answers will do.', 'x-type': 'list of addresses' }),
    credentials: filePath('NATS credentials file (JWT and seed).', '/etc/tidegate/gateway.creds').optional(),
    user: text('User name (with `password`).', 'gw-1').optional(),
    password: secret('Password; better given as an environment variable.').optional(),
    token: secret('Token; better given as an environment variable.').optional(),
    tls: tls.optional().meta({ description: 'TLS to the servers; setting any of these makes TLS a must.' }),
    dialTimeout: duration('How long one attempt to connect may take.', { min: 50 }).prefault('2s'),
    ackTimeout: duration(
      'How long to wait for the acknowledgement of one pack. Then its outcome is unknown and the head of the chain is read.',
      { min: 50 },
    ).prefault('5s'),
    pingInterval: duration('How often to ask whether the connection is alive; two missed answers end it.', {
      min: 100,
    }).prefault('10s'),
    retry: z
      .strictObject({
        min: duration('First wait.', { min: 1 }).prefault('50ms'),
        max: duration(
          'Longest wait. Below a second, so that the first reading is through within a second of the link coming back.',
          { min: 1 },
        ).prefault('700ms'),
      })
      .prefault({})
      .meta({ description: 'Waits between attempts: exponential with full jitter.' }),
    breaker: z
      .strictObject({
        failures: integer('Failures in a row after which attempts stop for the cool-down.', { min: 1 }).prefault(5),
        cooldown: duration('How long attempts stop.', { min: 1 }).prefault('1s'),
      })
      .prefault({})
      .meta({ description: 'Circuit breaker around the link.' }),
    provision: flag(
      'Create the streams when they are missing. Off: an administrator runs `tidegate central apply`, and the gateway needs no right to manage streams.',
    ).prefault(true),
    replicas: integer('Copies of each stream: 1, or 3 or 5 on a cluster that has as many servers.', {
      min: 1,
      max: 5,
    }).prefault(1),
    storage: choice('Where streams are kept. `memory` loses them with the servers: for trials only.', [
      'file',
      'memory',
    ]).prefault('file'),
    maxBytes: sizeOr(
      'unlimited',
      'Size of a stream, at which the centre refuses more (nothing is lost: gateways keep it).',
      {
        min: 1_000_000,
      },
    ).prefault('unlimited'),
    maxAge: durationOr('none', 'Age at which the centre drops stored messages.', { min: 60_000 }).prefault('none'),
  })
  .prefault({})
  .meta({ description: 'The NATS JetStream cluster that readings go to.' })
