import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connectAsync } from 'mqtt'
import { onTestFinished } from 'vitest'
import { readApiFile } from '../../gateway/api/index.ts'
import { type Config, parseConfig } from '../../gateway/config/index.ts'
import { type Gateway, startGateway, type World } from '../../gateway/main.ts'
import { RetryableError } from '../../sync/contract/index.ts'
import type { CentralDialer } from '../../sync/link/index.ts'
import { tempDir } from './temp-dir.ts'

/** A gateway in this process, with real sockets and a real store, and without a centre. */
export interface RunningGateway {
  gateway: Gateway
  /** Its data folder. */
  dir: string
  /** Its configuration file. */
  file: string
  /** Publishes readings of a metric, QoS 1, and resolves when all are acknowledged: durable, and decided. */
  publish(device: string, metric: string, ...payloads: (number | object)[]): Promise<void>
  /** Asks its API; the token is in the headers unless they say otherwise. */
  ask(path: string, init?: RequestInit): Promise<Response>
  stop(): Promise<void>
}

const SILENT = { debug() {}, info() {}, warn() {}, error() {} }

const NO_CENTRE: CentralDialer = {
  dial: () => Promise.reject(new RetryableError('LINK_DIAL_FAILED', 'there is no centre in this test')),
}

export async function runGateway(
  options: { dir?: string; yaml?: string; config?: (config: Config) => void; world?: World } = {},
): Promise<RunningGateway> {
  const dir = options.dir ?? (await tempDir())
  const file = join(dir, 'gateway.yaml')
  const text = [
    'site: site',
    'gateway: gw',
    `dataDir: ${dir}`,
    'mqtt: { listeners: [{ kind: tcp, host: 127.0.0.1, port: 0 }] }',
    'central: { servers: ["nats://127.0.0.1:1"] }',
    'outbox: { minFree: 0, reserve: 0 }',
    options.yaml ?? '',
  ].join('\n')
  await writeFile(file, text)
  const config = parseConfig(text, {}, { folder: dir })
  options.config?.(config)
  const gateway = await startGateway(config, { dialer: NO_CENTRE, log: SILENT, ...options.world })
  let stopped: Promise<void> | null = null
  const stop = (): Promise<void> => (stopped ??= gateway.stop())
  onTestFinished(stop)
  return {
    gateway,
    dir,
    file,
    stop,
    async publish(device, metric, ...payloads) {
      const client = await connectAsync(gateway.listeners[0] ?? '', { clientId: `${device}-${metric}` })
      try {
        const topic = `sensors/${device}/${metric}`
        await Promise.all(payloads.map((payload) => client.publishAsync(topic, JSON.stringify(payload), { qos: 1 })))
      } finally {
        await client.endAsync()
      }
    },
    async ask(path, init = {}) {
      const { url, token } = await readApiFile(dir)
      return await fetch(url + path, { ...init, headers: { authorization: `Bearer ${token}`, ...init.headers } })
    },
  }
}
