import { z } from 'zod'
import { duration, integer, size, text } from '../fields.ts'
import { durability } from './failover.ts'

const topic = z.strictObject({
  template: text(
    'MQTT topic with placeholders, one a level: `{device}` and `{metric}` name the reading, `{site}` must equal this site, any other `{name}` becomes a label; `+` stands for any one level, `#` at the end for the rest.',
    'plant/{line}/{device}/{metric}',
  ),
  metric: text('Metric of readings whose topic and payload name none.', 'temperature').optional(),
  unit: text('Unit of readings whose payload names none.', 'Cel').optional(),
  labels: z
    .record(z.string(), z.string())
    .optional()
    .meta({
      description: 'Labels put on every reading of this topic.',
      examples: [{ area: 'boiler' }],
      'x-type': 'map of texts',
    }),
  durability: durability('For this topic, instead of `failover.durability`.')
    .optional()
    .meta({ examples: ['replicated'] }),
})

/** From MQTT messages to readings. */
export const ingest = z
  .strictObject({
    topics: z
      .array(topic)
      .min(1)
      .prefault([{ template: 'sensors/{device}/{metric}' }, { template: 'sensors/{device}' }])
      .meta({
        description:
          'Topics that carry readings, tried in this order. A message on any other topic goes to the dead-letter stream, unless it is local.',
        'x-type': 'list of topics',
      }),
    localTopics: z.array(z.string().min(1)).prefault(['local/#']).meta({
      description: 'Topic filters whose messages stay on site: delivered to local subscribers, never stored.',
      'x-type': 'list of topic filters',
    }),
    maxPayload: size(
      'Largest payload that is decoded; a larger one goes to the dead-letter stream, cut to this size.',
      {
        min: 64,
      },
    ).prefault('64KiB'),
    maxReadingsPerMessage: integer('Readings that one message may carry.', { min: 1 }).prefault(1000),
    maxFuture: duration(
      'How far ahead of the gateway a device timestamp may be before it is taken for a broken clock. Not asked for while the clock of the gateway itself is behind (health says CLOCK_BEHIND).',
    ).prefault('1h'),
    maxAge: duration('How old a device timestamp may be before it is taken for a broken clock.').prefault('10y'),
    dedupe: z
      .strictObject({
        window: integer(
          'Recent ids or timestamps remembered per series, for devices that send no `seq`. A device with a `seq` needs no window.',
          { min: 1, max: 65_536 },
        ).prefault(256),
      })
      .prefault({})
      .meta({ description: 'Telling a repeated reading from a new one.' }),
    maxSeries: integer(
      'Series (device and metric) whose state is kept. Beyond it the one longest silent is forgotten.',
      { min: 1 },
    ).prefault(100_000),
    maxPending: integer(
      'Records that may wait for the disk. Beyond it QoS 0 is shed and nothing is read from the sockets.',
      { min: 1 },
    ).prefault(65_536),
    maxPendingBytes: size('The same bound in bytes; whichever is reached first.', { min: 65_536 }).prefault('32MiB'),
  })
  .prefault({})
  .meta({ description: 'From MQTT messages to readings.' })
