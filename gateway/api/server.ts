import { timingSafeEqual } from 'node:crypto'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { OperatorError, UsageError } from '../../sync/contract/index.ts'
import type { LaneSource } from '../../sync/forward/index.ts'
import type { Clock } from '../../sync/runtime/index.ts'
import type { AlarmDesk } from '../alarms/index.ts'
import type { Handover } from '../handover.ts'
import type { GatewayStatus, Log, ReadingTap } from '../observe/index.ts'
import { alarmRoutes } from './alarms.ts'
import { removeApiFile, tokenOf, writeApiFile } from './api-file.ts'
import { eventRoutes } from './events.ts'
import { failureOf } from './failure.ts'
import { handoverRoutes } from './handover.ts'
import { readingRoutes } from './readings.ts'
import { ruleRoutes } from './rules.ts'

export interface ApiParts {
  host: string
  port: number
  dataDir: string
  desk: AlarmDesk
  events: LaneSource
  tap: ReadingTap
  status(): Promise<GatewayStatus>
  handover: Handover
  /** The process is to end. */
  end(): void
  clock: Clock
  log: Log
}

export interface Api {
  readonly url: string
  stop(): Promise<void>
}

const MOST_BODY = 32 * 1024 * 1024

/**
 * Serves the API until it is stopped, and writes `api.json`.
 *
 * @throws OperatorError `API_PORT_IN_USE` when it cannot listen
 */
export async function startApi(parts: ApiParts): Promise<Api> {
  const { host, port, dataDir, log } = parts
  const token = await tokenOf(dataDir)
  const ended = new AbortController()
  const server = createAdaptorServer({ fetch: appOf(parts, token, ended.signal).fetch }) as Server
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new OperatorError(
          'API_PORT_IN_USE',
          `cannot listen on ${host}:${port} (${(cause as NodeJS.ErrnoException).code}); choose another api.port, or 0 for any free one`,
          { cause },
        ),
      ),
    )
    server.listen(port, host, resolve)
  })
  const { port: bound } = server.address() as AddressInfo
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${bound}`
  await writeApiFile(dataDir, { url, token })
  log.info({ url }, 'the API is up; its token is in api.json')
  return {
    url,
    async stop() {
      await removeApiFile(dataDir)
      ended.abort()
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}

function appOf(parts: ApiParts, token: string, signal: AbortSignal): Hono {
  const { desk, tap, clock, status, log } = parts
  const app = new Hono()
  app.onError((error, c) => {
    const failure = failureOf(error)
    if (failure.status === 500) log.error({ path: c.req.path, error: failure.body.error.message }, 'a request failed')
    return c.json(failure.body, failure.status)
  })
  app.use(async (c, next) => {
    if (!isToken(c.req.header('authorization'), token))
      throw new UsageError(
        'API_UNAUTHORIZED',
        "expected 'Authorization: Bearer TOKEN'; the token is in api.json in the data folder",
      )
    await next()
  })
  app.use(
    bodyLimit({
      maxSize: MOST_BODY,
      onError: () => {
        throw new UsageError('API_BODY_TOO_LARGE', `expected a body of at most ${MOST_BODY} bytes`)
      },
    }),
  )
  app.get('/status', async (c) => c.json(await status()))
  app.get('/health', async (c) => {
    const { health } = await status()
    return c.json(health, health.state === 'closed' ? 503 : 200)
  })
  app.route('/rules', ruleRoutes(desk))
  app.route('/alarms', alarmRoutes(desk, clock))
  app.route('/handover', handoverRoutes(parts))
  app.route('/events', eventRoutes(parts, signal))
  app.route('/readings', readingRoutes(tap, clock, signal))
  app.notFound((c) => {
    throw new UsageError(
      'API_UNKNOWN_PATH',
      `nothing answers to ${c.req.method} ${c.req.path}; docs/http-api.md lists what does`,
    )
  })
  return app
}

/** In a time that does not tell how much of it was right. */
function isToken(header: string | undefined, token: string): boolean {
  const given = Buffer.from(header ?? '')
  const wanted = Buffer.from(`Bearer ${token}`)
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}
