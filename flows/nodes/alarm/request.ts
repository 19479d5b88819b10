import { UsageError } from '../../../sync/contract/index.ts'
import type { Message } from '../red.ts'

export interface AlarmForm {
  action?: string
  device?: string
  rule?: string
  /** How long, for `shelve`: `1h`. */
  for?: string
  by?: string
  comment?: string
}

const ACTIONS: readonly string[] = [
  ...['acknowledge', 'reset', 'shelve', 'unshelve', 'suppress', 'unsuppress', 'removeFromService', 'returnToService'],
]

/** The body of `POST /alarms/act`. */
export interface AlarmRequest {
  device: string
  rule: string
  action: string
  for?: string
  by: string
  comment?: string
}

/**
 * What is asked for: the message's own properties, else the form's, else those of the alarm that the message is about (`payload`).
 *
 * @throws UsageError `ACTION_INVALID`
 */
export function requestOf(message: Message, form: AlarmForm): AlarmRequest {
  const payload = typeof message.payload === 'object' && message.payload !== null ? message.payload : {}
  const find = (name: keyof AlarmForm): string =>
    text(message[name]) || text(form[name]) || text((payload as Record<string, unknown>)[name])
  const action = find('action') || 'acknowledge'
  if (!ACTIONS.includes(action)) throw invalid('action', `one of ${ACTIONS.join(', ')}`, action)
  const device = find('device')
  const rule = find('rule')
  if (device === '') throw invalid('device', 'the name of a device', '')
  if (rule === '') throw invalid('rule', 'the name of an alarm', '')
  const duration = find('for')
  const comment = find('comment')
  if (action === 'shelve' && duration === '') throw invalid('for', 'how long to shelve it (1h)', '')
  return {
    device,
    rule,
    action,
    by: find('by') || 'node-red',
    ...(action === 'shelve' ? { for: duration } : {}),
    ...(comment === '' ? {} : { comment }),
  }
}

const text = (value: unknown): string => (typeof value === 'string' ? value.trim() : '')

const invalid = (field: string, expected: string, got: string): UsageError =>
  new UsageError('ACTION_INVALID', `${field}: expected ${expected}, got ${got === '' ? 'nothing' : `'${got}'`}`)
