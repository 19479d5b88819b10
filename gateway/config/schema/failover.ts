import { z } from 'zod'
import { choice, duration, filePath, secret, text } from '../fields.ts'

/** When a publish is acknowledged: once it is on this gateway's disk, or on those of all peers that are there too. */
export const durability = (description: string) => choice(description, ['local', 'replicated'])

const peer = z.strictObject({
  gateway: text('Name of the peer: what `gateway` says in its configuration.', 'gw-2').max(64),
  url: z
    .string()
    .regex(
      /^mqtts?:\/\/[^\s/@]+$/,
      "the address of one of the peer's MQTT listeners, such as mqtt://host:1883 or mqtts://host:8883",
    )
    .meta({
      description: "One of the peer's ordinary MQTT listeners; `mqtts://` for one with TLS.",
      examples: ['mqtts://10.0.0.2:8883'],
      'x-type': 'address',
    }),
  ca: filePath(
    "Certificate authority of the peer's listener, PEM (with `mqtts://`); the system's own when not set.",
    '/etc/tidegate/tls/site-ca.crt',
  ).optional(),
})

/** The other gateways of the site, and when they count. */
export const failover = z
  .strictObject({
    peers: z.array(peer).prefault([]).meta({
      description: 'The other gateways of the site; each of them has to list this one. None: this gateway is alone.',
      'x-type': 'list of peers',
    }),
    secret: secret(
      'What gateways show each other, the same on all of them. Over `mqtt://` it can be read on the wire: use TLS or a private network.',
      { min: 16, example: 'at-least-16-characters' },
    ).optional(),
    secretFile: filePath(
      'File with the secret (instead of `secret`); blanks and line ends around it do not count.',
      '/etc/tidegate/failover.secret',
    ).optional(),
    durability: durability(
      "`local`: a publish is acknowledged when it is on this gateway's disk. `replicated`: when every peer that is present has it on its disk too.",
    ).prefault('local'),
    whenAlone: choice(
      'What becomes of `replicated` while no peer is present. `degrade`: it means `local`. `refuse`: nothing is acknowledged.',
      ['degrade', 'refuse'],
    ).prefault('degrade'),
    heartbeat: duration('How often gateways say that they are there.', { min: 10 }).prefault('300ms'),
    awayAfter: duration('A peer that says nothing for this long is away: its session is over.', { min: 100 }).prefault(
      '2s',
    ),
    takeoverAfter: duration("A peer that is away for this long is taken over: this gateway forwards the peer's data.", {
      min: 100,
    }).prefault('5s'),
  })
  .prefault({})
  .meta({ description: 'Two gateways that cover for each other, see docs/adr/0016-two-gateways.md.' })
