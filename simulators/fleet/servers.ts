import type { IClientOptions } from 'mqtt'
import { UsageError } from '../../sync/contract/index.ts'

type Server = NonNullable<IClientOptions['servers']>[number]

const PORTS = { mqtt: 1883, tcp: 1883, mqtts: 8883, ssl: 8883, ws: 80, wss: 443 } as const
type Protocol = keyof typeof PORTS

const isProtocol = (text: string): text is Protocol => text in PORTS

/**
 * Addresses of gateways as mqtt.js wants them, beginning with the one at `first`: it goes round the list whenever a
 * connection ends or cannot be made.
 *
 * @param urls `mqtt://host:port`, also `mqtts`, `ws`, `wss`; of paths only the first one's counts
 * @throws UsageError `GATEWAY_URL_INVALID`
 */
export function serverOptions(
  urls: readonly string[],
  first: number,
): Pick<IClientOptions, 'servers' | 'protocol' | 'path'> {
  if (urls.length === 0) throw new UsageError('GATEWAY_URL_INVALID', 'expected the address of at least one gateway')
  const parsed = urls.map((url) => {
    const { protocol: scheme, hostname, port, pathname } = parse(url)
    const protocol = scheme.replace(/:$/, '')
    if (!isProtocol(protocol) || hostname === '') throw invalid(url)
    const host = hostname.replace(/^\[(.*)\]$/, '$1')
    return { host, port: port === '' ? PORTS[protocol] : Number(port), protocol, pathname }
  })
  const rotated = parsed
    .map((_, index) => parsed[(index + first) % parsed.length])
    .filter((server) => server !== undefined)
  const [main] = rotated
  const servers = rotated.map(({ host, port, protocol }): Server => ({ host, port, protocol }))
  if (main === undefined || !main.protocol.startsWith('ws')) return { servers, protocol: main?.protocol ?? 'mqtt' }
  return { servers, protocol: main.protocol, path: main.pathname }
}

function parse(url: string): URL {
  try {
    return new URL(url)
  } catch (cause) {
    throw invalid(url, cause)
  }
}

function invalid(url: string, cause?: unknown): UsageError {
  return new UsageError('GATEWAY_URL_INVALID', `expected something like mqtt://127.0.0.1:1883, got '${url}'`, { cause })
}
