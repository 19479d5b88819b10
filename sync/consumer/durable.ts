import {
  type Consumer,
  type ConsumerConfig,
  type ConsumerInfo,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
} from '@nats-io/jetstream'
import { type Millis, OperatorError } from '../contract/index.ts'

/** Where a durable consumer that does not exist yet begins. */
export type Start = 'beginning' | 'now' | Date

/** The durable consumer as it should be. */
export interface DurablePlan {
  stream: string
  durable: string
  subject: string
  ackWait: Millis
  maxAckPending: number
  start: Start
}

const NANOSECONDS = 1_000_000

/**
 * Looks the durable consumer up, and makes it if there is none.
 *
 * @throws OperatorError `CONSUMER_DIFFERS` when there is one under this name that reads something else
 */
export async function bindDurable(
  client: JetStreamClient,
  manager: JetStreamManager,
  plan: DurablePlan,
): Promise<{ consumer: Consumer; info: ConsumerInfo; ackWait: Millis }> {
  const { stream, durable } = plan
  const info = (await lookUp(manager, plan)) ?? (await manager.consumers.add(stream, configOf(plan)))
  const { ack_policy, ack_wait, filter_subject, filter_subjects } = info.config
  const subject = filter_subject ?? filter_subjects?.join(', ') ?? 'everything'
  if (ack_policy !== 'explicit' || subject !== plan.subject)
    throw new OperatorError(
      'CONSUMER_DIFFERS',
      `durable consumer '${durable}' of ${stream} reads ${subject} with acknowledgement '${ack_policy}', ` +
        `expected ${plan.subject} with 'explicit'; choose another name, or delete it (its position is lost then)`,
    )
  const ackWait = ack_wait === undefined ? plan.ackWait : ack_wait / NANOSECONDS
  return { consumer: await client.consumers.get(stream, durable), info, ackWait }
}

async function lookUp(manager: JetStreamManager, { stream, durable }: DurablePlan): Promise<ConsumerInfo | null> {
  try {
    return await manager.consumers.info(stream, durable)
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.ConsumerNotFound) return null
    throw error
  }
}

function configOf({ durable, subject, ackWait, maxAckPending, start }: DurablePlan): Partial<ConsumerConfig> {
  const from: Partial<ConsumerConfig> =
    start instanceof Date
      ? { deliver_policy: 'by_start_time', opt_start_time: start.toISOString() }
      : { deliver_policy: start === 'now' ? 'new' : 'all' }
  return {
    durable_name: durable,
    description: 'made by tidegate/sync',
    filter_subject: subject,
    ack_policy: 'explicit',
    ack_wait: ackWait * NANOSECONDS,
    max_ack_pending: maxAckPending,
    max_deliver: -1,
    ...from,
  }
}
