import type { Clock } from '../../../sync/runtime/index.ts'
import type { PeerHost } from '../../failover/link/index.ts'
import type { Acceptor } from '../acceptor.ts'
import type { MqttAccess } from './access.ts'
import { Admission } from './admission.ts'
import { createBroker, type LocalPublishOptions } from './broker.ts'
import type { DeviceDoor } from './device-door.ts'
import { type Listener, type ListenerAddress, openListener } from './listener.ts'
import type { Log, MqttCounters } from './observation.ts'
import type { PeerLogin } from './peer-door.ts'
import type { MqttSettings } from './settings.ts'

export interface MqttOptions {
  settings: MqttSettings
  /** Gets every publish of every client, and decides when it is acknowledged. */
  acceptor: Acceptor
  clock: Clock
  log: Log
  counters: MqttCounters
  access?: MqttAccess
  /** Gateways that may log in as peers; nobody unless said. */
  peers?: PeerLogin
  /** Where clients of MQTT 5 are sent that are asked to leave, if there are peers: `host:port` (MQTT 5 §4.11). */
  serverReference?: string
}

export interface MqttServer {
  /** In the order of `settings.listeners`. */
  readonly addresses: readonly ListenerAddress[]
  /** Where peers come in: they are refused until somebody serves them. */
  readonly peers: PeerHost
  /** Where devices come in. */
  readonly devices: DeviceDoor
  /** Open sockets, whether or not they have got as far as MQTT. */
  connections(): number
  /** A message of the gateway's own for local subscribers; it does not go to the acceptor. */
  publishLocal(topic: string, payload: Buffer | string, options?: LocalPublishOptions): void
  /**
   * Accepts no more, answers what is under way, hangs up; after `limits.closeGrace` cuts what is left. The acceptor must
   * live until this has resolved: wills of connections that end here go to it.
   */
  close(): Promise<void>
}

/** WebSocket clients may put several packets into one message. */
const MESSAGE_HEADROOM = 64 * 1024

/**
 * Starts the broker and opens all listeners, or none.
 *
 * @throws OperatorError `MQTT_LISTEN_FAILED`, `MQTT_TLS_FILE_UNREADABLE`, `MQTT_TLS_INVALID`
 */
export async function startMqtt(options: MqttOptions): Promise<MqttServer> {
  const { settings, acceptor, clock, log, counters, access = {}, peers, serverReference } = options
  const { limits } = settings
  const broker = await createBroker({
    acceptor,
    limits,
    clock,
    log,
    counters,
    access,
    directWay: settings.directWay ?? true,
    ...(peers && { peers }),
    ...(serverReference && { serverReference }),
  })
  const admission = new Admission(limits, clock, counters)
  const listeners: Listener[] = []

  const close = async (): Promise<void> => {
    const closed = Promise.all(listeners.map((listener) => listener.close()))
    await broker.close(limits.closeGrace)
    await admission.cutAll()
    await closed
  }

  try {
    for (const listener of settings.listeners) {
      const opened = await openListener(listener, {
        admission,
        counters,
        connectTimeout: limits.connectTimeout,
        maxMessageBytes: limits.maxPublishBytes + MESSAGE_HEADROOM,
        attach: (wire, peer) => broker.attach(wire, peer),
      })
      listeners.push(opened)
      log.info({ url: opened.address.url }, 'listening for MQTT')
    }
  } catch (error) {
    await close()
    throw error
  }

  let closing: Promise<void> | null = null
  return {
    addresses: listeners.map((listener) => listener.address),
    peers: broker.peers,
    devices: broker.devices,
    connections: () => admission.size,
    publishLocal: (topic, payload, publishOptions) => broker.publishLocal(topic, payload, publishOptions),
    close: () => {
      closing ??= close()
      return closing
    },
  }
}
