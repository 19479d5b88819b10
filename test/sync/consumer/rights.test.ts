import { connect } from '@nats-io/transport-node'
import { expect, it, onTestFinished } from 'vitest'
import { STREAMS } from '../../../sync/contract/index.ts'
import { readings, TestCentre } from '../../support/test-centre.ts'
import { range, start, until, values } from './running.ts'

/** As docs/consuming.md lists them. */
const RIGHTS = [
  '$JS.API.CONSUMER.INFO.READINGS.d',
  '$JS.API.CONSUMER.CREATE.READINGS.d.>',
  '$JS.API.CONSUMER.MSG.NEXT.READINGS.d',
  '$JS.API.STREAM.MSG.GET.READINGS',
  '$JS.API.STREAM.INFO.CONSUMER_DEADLETTERS',
  '$JS.ACK.READINGS.d.>',
  'consumer-deadletters.d.>',
]

it('a consumer needs no more rights than the documentation says', async () => {
  const publish = RIGHTS.map((right) => JSON.stringify(right)).join(', ')
  const centre = await TestCentre.start({
    extraConfig: `
      authorization { users: [
        { user: admin, password: a }
        { user: reader, password: r, permissions { publish: [${publish}], subscribe: ["_INBOX.>"] } }
      ] }
      no_auth_user: admin`,
  })
  onTestFinished(() => centre.stop())
  const rights = await connect({ servers: centre.server.url, user: 'reader', pass: 'r' })
  await rights.close()
  await centre.publishReadings({ site: 's', from: 0 }, readings(0, 9))
  await centre.client.publish('readings.s.gw', 'not a pack')
  await centre.publishReadings({ site: 's', from: 10 }, readings(10, 19))
  const consumer = start({
    servers: centre.server.url,
    user: 'reader',
    password: 'r',
    durable: 'd',
    site: 's',
    retry: { attempts: 1 },
    handler: ({ value }) => {
      if (value === 3) throw new Error('poison')
    },
  })
  await until(() => consumer.records.length === 19)
  await consumer.stop()
  expect(values(consumer)).toEqual(range(0, 19).filter((value) => value !== 3))
  expect(consumer.kinds()).toEqual(['deadletter', 'deadletter'])
  const { num_ack_pending } = await centre.manager.consumers.info(STREAMS.readings, 'd')
  expect(num_ack_pending).toBe(0)
})
