import {
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamManager,
  jetstreamManager,
  type StreamInfo,
} from '@nats-io/jetstream'
import { describeError, type Millis, OperatorError, RetryableError } from '../contract/index.ts'
import { connectNats, type NatsSettings, type StreamPlan } from '../link/index.ts'
import { differences, refusals } from './compare.ts'

/** What happened, or would happen, to one stream. */
export interface StreamChange {
  stream: string
  action: 'created' | 'updated' | 'unchanged'
  /** The settings that differed, `num_replicas: 1 -> 3`; empty for a new stream. */
  changes: readonly string[]
}

export interface ApplyOptions {
  /** Only say what would be done. */
  dryRun: boolean
  signal: AbortSignal
}

const REQUEST_TIMEOUT: Millis = 10_000

/**
 * Makes the central streams what the plans say. First everything is compared: when one stream cannot become what it should
 * be without losing or endangering what it holds, none is touched.
 *
 * @throws OperatorError `CENTRAL_STREAM_CONFLICT` naming stream, field, what it is and what it should be;
 *   `CENTRAL_APPLY_REFUSED` when the server refuses; `CENTRAL_SETTING_IGNORED` when it does not know a setting;
 *   `CENTRAL_NO_JETSTREAM`
 * @throws RetryableError `LINK_DIAL_FAILED`, `CENTRAL_APPLY_UNANSWERED`
 */
export async function applyStreams(
  central: NatsSettings,
  plans: readonly StreamPlan[],
  { dryRun, signal }: ApplyOptions,
): Promise<StreamChange[]> {
  const connection = await connectNats(central, signal)
  try {
    const manager = await jetstreamManager(connection, { checkAPI: false, timeout: REQUEST_TIMEOUT })
    const found = await Promise.all(plans.map(async (plan) => ({ plan, info: await lookUp(manager, plan.name) })))
    const conflicts = found.flatMap(({ plan, info }) => (info === null ? [] : refusals(info, plan)))
    if (conflicts.length > 0)
      throw new OperatorError(
        'CENTRAL_STREAM_CONFLICT',
        `nothing was changed, because this cannot be done without losing or endangering what is stored:\n${conflicts
          .map((conflict) => `  ${conflict}`)
          .join('\n')}\nadapt the configuration, or change the stream by hand`,
      )
    const changes: StreamChange[] = []
    for (const { plan, info } of found) {
      signal.throwIfAborted()
      changes.push(await apply(manager, plan, info, dryRun))
    }
    return changes
  } finally {
    await connection.close()
  }
}

async function lookUp(manager: JetStreamManager, name: string): Promise<StreamInfo | null> {
  try {
    return await manager.streams.info(name)
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound) return null
    throw explained(error, name)
  }
}

async function apply(
  manager: JetStreamManager,
  plan: StreamPlan,
  info: StreamInfo | null,
  dryRun: boolean,
): Promise<StreamChange> {
  const { name, ...settings } = plan
  const changes = info === null ? [] : differences(info.config, plan)
  const action = info === null ? 'created' : changes.length > 0 ? 'updated' : 'unchanged'
  if (!dryRun && action !== 'unchanged') {
    let result: StreamInfo
    try {
      // An update keeps the settings that the plan does not speak of: placement, compression, metadata.
      result = info === null ? await manager.streams.add(plan) : await manager.streams.update(name, settings)
    } catch (error) {
      throw explained(error, name)
    }
    const ignored = differences(result.config, plan)
    if (ignored.length > 0)
      throw new OperatorError(
        'CENTRAL_SETTING_IGNORED',
        `stream ${name}: the server took the configuration and ignored ${ignored.join(', ')}; is it older than 2.10?`,
      )
  }
  return { stream: name, action, changes }
}

function explained(error: unknown, stream: string): Error {
  if (error instanceof JetStreamApiError)
    return new OperatorError('CENTRAL_APPLY_REFUSED', `stream ${stream}: ${error.message} (${error.code})`, {
      cause: error,
    })
  if (error instanceof Error && error.name === 'JetStreamNotEnabled')
    return new OperatorError(
      'CENTRAL_NO_JETSTREAM',
      'the server runs without JetStream, or the account may not use it',
      { cause: error },
    )
  return new RetryableError('CENTRAL_APPLY_UNANSWERED', `stream ${stream}: ${describeError(error)}`, { cause: error })
}
