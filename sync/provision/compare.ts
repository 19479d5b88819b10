import type { StreamConfig, StreamInfo } from '@nats-io/jetstream'
import type { StreamPlan } from '../link/index.ts'

type Setting = Exclude<keyof StreamPlan, 'name'>

const NANOSECONDS_A_SECOND = 1_000_000_000

/** The settings in which a stream is not what it should be, as `max_age: none -> 3600s`. */
export function differences(have: Partial<StreamConfig>, plan: StreamPlan): string[] {
  return settingsOf(plan)
    .filter((setting) => shown(setting, have[setting]) !== shown(setting, plan[setting]))
    .map((setting) => `${setting}: ${shown(setting, have[setting])} -> ${shown(setting, plan[setting])}`)
}

/** Why a stream must not become what it should be; empty when it may. */
export function refusals({ config, state }: StreamInfo, plan: StreamPlan): string[] {
  const { name } = plan
  const reasons: Partial<Record<Setting, string | null>> = {
    storage: config.storage === plan.storage ? null : 'JetStream cannot change it',
    retention: config.retention === plan.retention ? null : 'it decides when messages are deleted',
    discard: config.discard === 'new' && plan.discard === 'old' ? 'a full stream would drop its oldest messages' : null,
    subjects: dropped(config.subjects, plan.subjects),
    num_replicas: plan.num_replicas < config.num_replicas ? 'fewer copies are less safe' : null,
    max_bytes:
      plan.max_bytes >= 0 && plan.max_bytes < state.bytes ? `it holds ${state.bytes} bytes, which are more` : null,
    max_age: outlives(state, plan.max_age) ? `messages since ${state.first_ts} would be deleted` : null,
    max_msgs_per_subject:
      state.messages > 0 && limit(plan.max_msgs_per_subject) < limit(config.max_msgs_per_subject)
        ? 'messages would be deleted'
        : null,
    deny_delete: config.deny_delete && !plan.deny_delete ? 'JetStream cannot take it back' : null,
  }
  return settingsOf(plan).flatMap((setting) => {
    const reason = reasons[setting]
    if (reason === undefined || reason === null) return []
    return [
      `stream ${name}, ${setting}: is ${shown(setting, config[setting])}, should be ${shown(setting, plan[setting])}: ${reason}`,
    ]
  })
}

const settingsOf = (plan: StreamPlan): Setting[] => Object.keys(plan).filter((key): key is Setting => key !== 'name')

const limit = (value: number): number => (value < 0 ? Number.POSITIVE_INFINITY : value)

function dropped(have: readonly string[], want: readonly string[]): string | null {
  const gone = have.filter((subject) => !want.includes(subject))
  return gone.length === 0 ? null : `what is published on ${gone.join(', ')} would not be stored any more`
}

/** Whether the oldest stored message is older than the limit (nanoseconds; 0 = none). */
function outlives({ messages, first_ts, last_ts }: StreamInfo['state'], maxAge: number): boolean {
  if (maxAge === 0 || messages === 0) return false
  // By the clock of the server as far as it is told; ours may be wrong.
  const now = Math.max(Date.now(), Date.parse(last_ts))
  return now - Date.parse(first_ts) > maxAge / (NANOSECONDS_A_SECOND / 1000)
}

/** A setting as a person reads it; equal settings look the same. */
function shown(setting: Setting, value: unknown): string {
  if (setting === 'subjects') return Array.isArray(value) ? [...value].sort().join(' ') : 'none'
  if (setting === 'max_age' || setting === 'duplicate_window')
    return value ? `${Number(value) / NANOSECONDS_A_SECOND}s` : 'none'
  if (setting === 'max_bytes' || setting === 'max_msgs_per_subject')
    return Number(value ?? -1) < 0 ? 'unlimited' : String(value)
  return String(value ?? (setting === 'description' ? '' : false))
}
