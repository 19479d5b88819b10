import { connect } from '@nats-io/transport-node'
import { natsCentral } from '../../../simulators/ledger/index.ts'
import type { Site } from '../../../simulators/site/index.ts'
import { STREAMS, type ThresholdEvent } from '../../../sync/contract/index.ts'

/** Events of one device in the central stream, as `rule kind`. */
export async function eventsOf(site: Site, name: string): Promise<string[]> {
  const connection = await connect({ servers: site.addresses.centralUrl })
  try {
    const found: string[] = []
    for await (const { body } of natsCentral(connection).read(STREAMS.events, 1)) {
      const event = JSON.parse(Buffer.from(body).toString('utf8')) as ThresholdEvent
      if (event.device === name) found.push(`${event.rule} ${event.type.replace('tidegate.alarm.', '')}`)
    }
    return found
  } finally {
    await connection.close()
  }
}
