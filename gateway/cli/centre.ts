import { escapeToken, type Lane, UsageError } from '../../sync/contract/index.ts'
import type { NatsSettings } from '../../sync/link/index.ts'
import type { Environment } from '../config/index.ts'
import { natsSettings } from '../settings.ts'
import { readConfig } from './config-file.ts'
import { text } from './option.ts'

/** `--server URL`, for commands that look at the centre; without it the configuration says where that is. */
export const serverOption = text(
  'URL',
  'Look at this server instead of the one in the configuration: nats://[user:password@]host:port',
)

/**
 * How to reach the central server.
 *
 * @param name what the connection is called there
 * @throws UsageError `OPTION_INVALID`; OperatorError when the configuration is asked and cannot be read or is not valid
 */
export async function centreOf(
  { config, server }: { config: string | undefined; server: string | undefined },
  env: Environment,
  name: string,
): Promise<NatsSettings> {
  if (server === undefined) return await natsSettings((await readConfig(config, env)).central, name)
  if (config !== undefined) throw new UsageError('OPTION_INVALID', '--config and --server exclude each other')
  const url = URL.canParse(server) ? new URL(server) : null
  if (url === null || !['nats:', 'tls:'].includes(url.protocol) || url.hostname === '')
    throw new UsageError('OPTION_INVALID', `--server: expected nats://host:port or tls://host:port, got '${server}'`)
  const settings: NatsSettings = {
    servers: [url.host],
    name,
    dialTimeout: 2_000,
    pingInterval: 10_000,
  }
  if (url.username !== '') settings.user = decodeURIComponent(url.username)
  if (url.password !== '') settings.password = decodeURIComponent(url.password)
  if (url.protocol === 'tls:') settings.tls = {}
  return settings
}

/** The subject of a lane in the central stream, for one site and gateway or for any. */
export function centralSubject(lane: Lane, site: string | undefined, gateway: string | undefined): string {
  const of = site === undefined ? '*' : escapeToken(site)
  const by = gateway === undefined ? '*' : escapeToken(gateway)
  return lane === 'events' ? `events.${of}.*.*` : `${lane}.${of}.${by}`
}
