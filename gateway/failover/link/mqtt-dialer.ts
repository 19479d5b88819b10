import { connect as connectTcp } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import type { IClientOptions, MqttClient } from 'mqtt'
import { describeError, type Millis } from '../../../sync/contract/index.ts'
import { systemClock } from '../../../sync/runtime/index.ts'
import { PeerDialError, PeerSessionOver } from './errors.ts'
import { Inbox } from './inbox.ts'
import { type PeerNames, peerNames } from './names.ts'
import type { PeerDialer, PeerSession } from './peers.ts'
import type { PeerAddress, PeerSettings } from './settings.ts'

/** How long a goodbye may take to get out. */
const GOODBYE: Millis = 1000
const DISCONNECT = Buffer.from([0xe0, 0])

/**
 * Dials peers at their ordinary MQTT listeners. One client is one connection is one session: mqtt.js neither dials again by
 * itself nor queues anything, so that nothing sent in one session can come out in another.
 */
export function mqttPeerDialer(settings: PeerSettings): PeerDialer {
  const names = peerNames(settings.gateway)
  return {
    async dial(peer, signal) {
      const address = settings.peers.find(({ gateway }) => gateway === peer)
      if (address === undefined) throw new PeerDialError(peer, 'it is not one of the peers')
      // Only when there is a peer to dial: a gateway that is alone can do without the library.
      // By its default: in the bundle, what a CommonJS package exports has no other names.
      const { default: mqtt } = await import('mqtt')
      if (signal.aborted) throw new PeerDialError(peer, 'dialling was given up')
      const client = new mqtt.MqttClient(() => connectTo(address), clientOptions(settings, names))
      const session = new MqttSession(peer, client, names)
      const giveUp = (why: string) => () => session.abandon(new Error(why))
      const abort = giveUp('dialling was given up')
      signal.addEventListener('abort', abort)
      const stopDeadline = systemClock.after(settings.dialTimeout, giveUp(`no answer in ${settings.dialTimeout} ms`))
      try {
        await session.stands()
        return session
      } catch (error) {
        session.abandon(error instanceof Error ? error : null)
        const reason = (await session.closed) ?? error
        throw new PeerDialError(peer, describeError(reason) || 'it cannot be reached', reason)
      } finally {
        stopDeadline()
        signal.removeEventListener('abort', abort)
      }
    },
  }
}

/** Small messages must not wait for the answers to others (Nagle's algorithm): a publish of a device waits behind them. */
function connectTo({ url, ca }: PeerAddress): Duplex {
  const { protocol, hostname, port } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, '')
  if (protocol === 'mqtts:') {
    const name = /^[\d.]+$|:/.test(host) ? {} : { servername: host }
    const trust = ca === undefined ? {} : { ca }
    return connectTls({ host, port: Number(port || 8883), ...name, ...trust }).setNoDelay(true)
  }
  return connectTcp({ host, port: Number(port || 1883) }).setNoDelay(true)
}

function clientOptions(settings: PeerSettings, names: PeerNames): IClientOptions {
  return {
    clientId: names.client,
    username: names.client,
    password: settings.secret,
    clean: true,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    connectTimeout: settings.dialTimeout,
    keepalive: Math.max(1, Math.ceil(settings.keepAlive / 1000)),
  }
}

class MqttSession implements PeerSession {
  readonly closed: Promise<Error | null>
  readonly #peer: string
  readonly #client: MqttClient
  readonly #names: PeerNames
  readonly #inbox = new Inbox<Buffer>()
  /** How to give up what is sent and not answered. */
  readonly #unanswered = new Set<(reason: PeerSessionOver) => void>()
  readonly #gone: Promise<void>
  #resolveClosed: (reason: Error | null) => void = () => undefined
  /** What the library said last; the connection ends soon after. */
  #trouble: Error | null = null
  #over = false

  constructor(peer: string, client: MqttClient, names: PeerNames) {
    this.#peer = peer
    this.#client = client
    this.#names = names
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
    client.on('error', (error) => {
      this.#trouble ??= error
    })
    client.on('message', (_topic, payload) => {
      if (!this.#over) this.#inbox.put(payload)
    })
    this.#gone = new Promise((resolve) => {
      client.on('close', () => {
        this.#end(this.#trouble ?? new Error('the peer has ended the connection'))
        resolve()
      })
    })
  }

  /** Resolves when the peer has let us in and hears us; rejects when that comes to nothing. */
  async stands(): Promise<void> {
    const connected = new Promise<void>((resolve) => {
      this.#client.on('connect', () => resolve())
    })
    await Promise.race([connected, this.#failed()])
    await Promise.race([this.#client.subscribeAsync(this.#names.down, { qos: 0 }), this.#failed()])
  }

  send(message: Uint8Array): Promise<void> {
    if (this.#over) return Promise.reject(new PeerSessionOver(this.#peer))
    return new Promise((resolve, reject) => {
      this.#unanswered.add(reject)
      const payload = Buffer.from(message.buffer, message.byteOffset, message.byteLength)
      this.#client.publish(this.#names.up, payload, { qos: 1 }, (error) => {
        this.#unanswered.delete(reject)
        if (error) reject(new PeerSessionOver(this.#peer, error))
        else resolve()
      })
    })
  }

  onMessage(listener: (message: Buffer) => void): void {
    this.#inbox.listen(listener)
  }

  async close(): Promise<void> {
    if (!this.#over) {
      this.#end(null)
      const { stream } = this.#client
      // Not `end` of the library: that waits until everything is answered.
      stream.end(DISCONNECT)
      const stop = systemClock.after(GOODBYE, () => stream.destroy())
      void this.#gone.then(stop)
    }
    await this.#gone
  }

  /** Cuts the connection. */
  abandon(reason: Error | null): void {
    this.#end(reason)
    this.#client.stream.destroy()
  }

  async #failed(): Promise<never> {
    throw (await this.closed) ?? new Error('the session was closed')
  }

  #end(reason: Error | null): void {
    if (this.#over) return
    this.#over = true
    for (const giveUp of this.#unanswered) giveUp(new PeerSessionOver(this.#peer, reason))
    this.#unanswered.clear()
    this.#resolveClosed(reason)
  }
}
