import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { describeError, StopAcceptingError, TidegateError } from '../../sync/contract/index.ts'
import { RulesError } from '../rules/index.ts'

/** What a request gets that cannot be fulfilled. */
export interface Failure {
  status: ContentfulStatusCode
  body: { error: { code: string; message: string; problems?: readonly { path: string; message: string }[] } }
}

/** By code; everything else that is thrown on purpose is the caller's to mend (400). */
const STATUS: Readonly<Record<string, ContentfulStatusCode>> = {
  ALARM_UNKNOWN: 404,
  ALARM_ACTION_REFUSED: 409,
  HANDOVER_NO_PEER: 409,
  HANDOVER_PEER_AWAY: 409,
  HANDOVER_UNDER_WAY: 409,
  RULES_CHANGED_MEANWHILE: 412,
  API_UNAUTHORIZED: 401,
  API_UNKNOWN_PATH: 404,
  API_BODY_TOO_LARGE: 413,
}

export function failureOf(error: unknown): Failure {
  if (error instanceof RulesError) {
    const problems = error.problems.map(({ path, message }) => ({ path, message }))
    return { status: 400, body: { error: { code: error.code, message: error.message, problems } } }
  }
  if (error instanceof TidegateError) {
    const status = STATUS[error.code] ?? (error instanceof StopAcceptingError ? 503 : 400)
    return { status, body: { error: { code: error.code, message: describeError(error) } } }
  }
  return { status: 500, body: { error: { code: 'API_FAILED', message: describeError(error) } } }
}
