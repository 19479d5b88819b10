import { createHash, timingSafeEqual } from 'node:crypto'
import { inspect } from 'node:util'

/** What the settings file needs as code. It runs inside Node-RED, not in the gateway. */

/** The variable that carries the supervisor's token into the process. */
export const TOKEN_VARIABLE = 'TIDEGATE_FLOWS_TOKEN'

interface NodeRedEntry {
  level: number
  msg: unknown
  type?: string
  name?: string
  id?: string
}

/** Node-RED's log as lines of JSON on standard output, for the supervisor. */
export const logHandler =
  () =>
  (entry: NodeRedEntry): void => {
    const who = entry.type === undefined ? '' : `[${entry.type}:${entry.name ?? entry.id ?? ''}] `
    process.stdout.write(`${JSON.stringify({ level: levelOf(entry.level), text: `${who}${textOf(entry.msg)}` })}\n`)
  }

/** Node-RED's numbers: fatal 10, error 20, warn 30, info 40, debug 50, trace 60. */
const levelOf = (level: number): string =>
  level <= 20 ? 'error' : level <= 30 ? 'warn' : level <= 40 ? 'info' : 'debug'

function textOf(message: unknown): string {
  if (typeof message === 'string') return message.trim()
  if (message instanceof Error) return message.stack ?? message.message
  const { message: text } = (message ?? {}) as { message?: unknown }
  return typeof text === 'string' ? text : inspect(message, { depth: 2, breakLength: Number.POSITIVE_INFINITY })
}

/**
 * Lets the supervisor in to read. The token is new at every start, and taken out of the environment so that flows do not see it.
 */
export function supervisor(): (token: string) => Promise<{ username: string; permissions: string } | null> {
  const expected = process.env[TOKEN_VARIABLE] ?? ''
  delete process.env[TOKEN_VARIABLE]
  return async (token) =>
    expected !== '' && timingSafeEqual(digest(token), digest(expected))
      ? { username: 'tidegate', permissions: 'read' }
      : null
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

interface AdminRequest {
  method: string
  path: string
}

interface AdminResponse {
  status(code: number): { json(body: unknown): void }
}

/** Refuses to install, update, remove or switch modules, before Node-RED as much as asks the network about one. */
export function noInstalls({ method, path }: AdminRequest, response: AdminResponse, next: () => void): void {
  const changes = method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS'
  if (changes && /^\/nodes(?:\/|$)/i.test(path)) {
    response.status(403).json({ code: 'install_not_allowed', message: 'this Node-RED takes no modules from outside' })
  } else next()
}
