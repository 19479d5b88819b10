import { join } from 'node:path'
import { startCentral } from '../../../simulators/central/index.ts'
import type { BenchOptions } from '../bench.ts'
import { type GatewaySettings, makeGateway, nobody, pidOf } from '../gateway.ts'
import { observe } from '../jetstream.ts'
import { startBare } from '../peers/bare.ts'
import { mosquittoVersion, startMosquitto } from '../peers/mosquitto.ts'
import type { Scope } from '../scope.ts'
import type { Load } from './loads.ts'
import { type LoopLag, lagWatch } from './loop-lag.ts'

/** A server that takes MQTT, running. */
export interface Server {
  port: number
  pid: number
  /** How late its event loop is; of ours only. */
  lag?: {
    begin(): void
    /** Ends the server. */
    end(): Promise<LoopLag>
  }
}

/** Somebody whom a load is put on. */
export interface Contender {
  id: string
  /** Stands in the names of rows that compare with it; empty for whom a bench is about. */
  label: string
  /** For people. */
  name: string
  /** Takes part in so many rounds at most; in all unless said. */
  rounds?: number
  start(options: BenchOptions, scope: Scope, load: Load): Promise<Server>
}

/** So many connections from one address are nothing that a site has, and a gateway's default limit keeps them out. */
const CROWD = 1_000

/** Our gateway with its link cut: nobody else forwards, either. */
const gateway = (id: string, name: string, settings: Partial<GatewaySettings> = {}): Contender => ({
  id,
  label: id,
  name,
  async start(options, scope, load) {
    const dir = await scope.folder()
    const watch = load.rate === undefined ? null : lagWatch(join(dir, 'lag.json'))
    const made = await makeGateway(options, scope, {
      dir,
      servers: [await nobody()],
      ...(watch === null ? {} : { env: watch.env }),
      ...(load.connections < CROWD ? {} : { connections: load.connections }),
      ...settings,
    })
    await made.process.start()
    const pid = pidOf(made)
    const server = { port: made.mqttPort, pid }
    if (watch === null) return server
    const end = async (): Promise<LoopLag> => {
      watch.end(pid)
      await made.process.stop()
      return watch.read()
    }
    return { ...server, lag: { begin: () => watch.begin(pid), end } }
  },
})

/** As people run it. */
export const direct: Contender = gateway('direct', 'tidegate')

/** Every publish through the MQTT library. */
export const library: Contender = gateway('library', 'tidegate, mqtt.directWay false', { directWay: false })

/** With rules that every series has. */
export const withRules = (rules: unknown): Contender => gateway('rules', 'tidegate with rules', { rules })

/** Forwarding to a centre that is there all the while. */
export const withCentre: Contender = {
  id: 'centre',
  label: '',
  name: 'tidegate, forwarding',
  async start(options, scope) {
    const central = await startCentral({ dir: await scope.folder() })
    await scope.defer(() => central.stop())
    const made = await makeGateway(options, scope, { dir: await scope.folder(), servers: [central.url] })
    await made.process.start()
    await made.process.waitFor((status) => status?.link.link === 'up', 10_000)
    return { port: made.mqttPort, pid: pidOf(made) }
  },
}

/** nats-server's own MQTT, with a stream that keeps the readings. */
const natsMqtt = (id: string, name: string, syncInterval: 'always' | null): Contender => ({
  id,
  label: id,
  name,
  // No target is so close to it that more rounds would say more.
  rounds: 3,
  async start(_, scope) {
    const server = await startCentral({
      dir: await scope.folder(),
      mqtt: true,
      ...(syncInterval === null ? {} : { syncInterval }),
    })
    await scope.defer(() => server.stop())
    const { manager, connection } = await observe(scope, [server.url])
    await manager.streams.add({ name: 'SENSORS', subjects: ['sensors.>'] })
    await connection.close()
    return { port: server.mqttPort ?? 0, pid: server.pid ?? 0 }
  },
})

/** It acknowledges what the kernel has, and fsyncs every two minutes. */
export const natsLazy: Contender = natsMqtt('lazy', 'nats-server MQTT, sync_interval 2m', null)

/** It acknowledges what the disk has, as we do. */
export const natsAlways: Contender = natsMqtt('always', 'nats-server MQTT, sync_interval always', 'always')

/** What is left for a server to do its work in, on this machine, when Node.js has read and answered. */
export const bare: Contender = {
  id: 'bare',
  label: 'bare',
  name: 'a server on Node.js that answers and does nothing',
  start: (_, scope) => startBare(scope),
}

/** mosquitto as Debian's package sets it up, by which all is measured; null, and said, where it is not installed. */
export async function brokerBeside({ say }: BenchOptions): Promise<Contender | null> {
  const version = await mosquittoVersion()
  if (version === null) say('mosquitto is not installed (apt-get install mosquitto): nothing to compare with')
  if (version === null) return null
  return {
    id: 'mosquitto',
    label: '',
    name: `mosquitto ${version}, persistence on, acks from memory`,
    start: (_, scope) => startMosquitto(scope),
  }
}
