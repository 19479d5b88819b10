import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt'
import { onTestFinished } from 'vitest'
import {
  defaultMqttLimits,
  type ListenerSettings,
  type Log,
  type MqttAccess,
  type MqttCounter,
  type MqttLimits,
  type MqttServer,
  type PeerLogin,
  startMqtt,
} from '../../../../../gateway/ingest/mqtt/index.ts'
import { systemClock } from '../../../../../sync/runtime/index.ts'
import { FakeAcceptor } from './fake-acceptor.ts'
import type { ConnectOptions } from './packets.ts'
import { RawClient } from './raw-client.ts'

export interface TestServer {
  server: MqttServer
  acceptor: FakeAcceptor
  /** Port of the first listener. */
  port: number
  count(name: MqttCounter): number
  /** Counters that are not zero. */
  counts(): Record<string, number>
  /** A raw connection whose CONNECT was accepted, closed with the test. */
  raw(options?: ConnectOptions): Promise<RawClient>
  /** A raw connection that has sent nothing yet, closed with the test. */
  open(): Promise<RawClient>
  /** An mqtt.js client that does not reconnect, closed with the test. */
  client(options?: IClientOptions, listener?: number): Promise<MqttClient>
}

export interface TestServerOptions {
  limits?: Partial<MqttLimits>
  listeners?: readonly ListenerSettings[]
  directWay?: boolean
  access?: MqttAccess
  peers?: PeerLogin
  serverReference?: string
}

const silent: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

/** A real server on free ports with an acceptor in memory; whoever opens it closes it. */
export async function openServer(
  options: TestServerOptions = {},
): Promise<Pick<TestServer, 'server' | 'acceptor' | 'port' | 'count' | 'counts'>> {
  const acceptor = new FakeAcceptor()
  const counters = new Map<MqttCounter, number>()
  const server = await startMqtt({
    settings: {
      listeners: options.listeners ?? [{ kind: 'tcp', host: '127.0.0.1', port: 0 }],
      ...(options.directWay === undefined ? {} : { directWay: options.directWay }),
      limits: { ...defaultMqttLimits, closeGrace: 500, ...options.limits },
    },
    acceptor,
    clock: systemClock,
    log: silent,
    counters: { increment: (name, by = 1) => counters.set(name, (counters.get(name) ?? 0) + by) },
    ...(options.access === undefined ? {} : { access: options.access }),
    ...(options.peers === undefined ? {} : { peers: options.peers }),
    ...(options.serverReference === undefined ? {} : { serverReference: options.serverReference }),
  })
  return {
    server,
    acceptor,
    port: server.addresses[0]?.port ?? 0,
    count: (name) => counters.get(name) ?? 0,
    counts: () => Object.fromEntries(counters),
  }
}

/** A real server on free ports with an acceptor in memory, closed when the test is finished. */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const opened = await openServer(options)
  const { server, acceptor, port } = opened
  onTestFinished(async () => {
    acceptor.auto = true
    acceptor.answerAll()
    await server.close()
  })
  const keep = (client: RawClient): RawClient => {
    onTestFinished(() => client.destroy())
    return client
  }
  return {
    ...opened,
    raw: async (connect) => keep(await RawClient.connected(port, connect)),
    open: async () => keep(await RawClient.open({ host: '127.0.0.1', port })),
    client: async (client = {}, listener = 0) => {
      const connected = await connectAsync(server.addresses[listener]?.url ?? '', { reconnectPeriod: 0, ...client })
      connected.on('error', () => undefined)
      onTestFinished(async () => {
        await connected.endAsync(true)
      })
      return connected
    },
  }
}
