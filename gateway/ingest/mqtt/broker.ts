import type { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import type { ConnectPacket } from 'aedes'
import { describeError, type Millis } from '../../../sync/contract/index.ts'
import type { Clock } from '../../../sync/runtime/index.ts'
import { isPeerClient, type PeerHost } from '../../failover/link/index.ts'
import type { Acceptor } from '../acceptor.ts'
import { KnownTexts } from '../known-texts.ts'
import type { MqttAccess } from './access.ts'
import type { Client } from './aedes-internals.ts'
import { type DeviceDoor, DoorOfDevices } from './device-door.ts'
import { DirectWay } from './direct-way.ts'
import { FanOut } from './fan-out.ts'
import { FrameGuard } from './frame-guard.ts'
import { GuardedSocket } from './guarded-socket.ts'
import { LocalBroker, type LocalMessage } from './local-broker.ts'
import type { Log, MqttCounters } from './observation.ts'
import { PeerDoor, type PeerLogin } from './peer-door.ts'
import { strayMessage } from './peer-link.ts'
import { MemoryPersistence } from './persistence.ts'
import { PublishGate } from './publish-gate.ts'
import { RetainedMessages } from './retained-messages.ts'
import { Sessions } from './sessions.ts'
import type { MqttLimits } from './settings.ts'
import { SubscriberPolicy } from './subscriber-policy.ts'
import { UnreleasedIds } from './unreleased-ids.ts'
import { type LinkParts, Mqtt5Link, SessionStore, Wills } from './v5/index.ts'
import { VersionGuard } from './version-guard.ts'
import type { Wire } from './wire.ts'

export interface BrokerOptions {
  acceptor: Acceptor
  limits: MqttLimits
  clock: Clock
  log: Log
  counters: MqttCounters
  access: MqttAccess
  /** See `MqttSettings`. */
  directWay?: boolean
  /** Who may log in as a peer; nobody unless said. */
  peers?: PeerLogin
  /** Where clients of MQTT 5 are sent that are asked to leave, if there is a peer (MQTT 5 §3.14.2.2.5). */
  serverReference?: string
}

export interface LocalPublishOptions {
  qos?: 0 | 1 | 2
  retain?: boolean
}

/** A site has about as many topics as sensors. */
const KNOWN_TOPICS = 8_192

/** The MQTT broker of a gateway, as the rest of ingest sees it. */
export interface Broker {
  /** Where peers come in. */
  readonly peers: PeerHost
  readonly devices: DeviceDoor
  /** Serves MQTT on an accepted connection; everything about it ends with its stream. `peer` names it in logs. */
  attach(wire: Wire, peer: string): GuardedSocket
  /** A message of the gateway's own, for local subscribers only: it does not go to the acceptor. */
  publishLocal(topic: string, payload: Buffer | string, options?: LocalPublishOptions): void
  /**
   * Stops reading, waits until what is under way is answered, hangs up, publishes the wills that this causes; after
   * `grace` whatever is left is cut.
   */
  close(grace: Millis): Promise<void>
}

/**
 * aedes behind one adapter: it keeps connections, sessions and subscriptions; every publish (wills too) goes to the
 * acceptor, and only its `done` lets it be acknowledged, in the order in which `done` is called. Local subscribers see a
 * publish after that. Most publishes go past aedes, see `DirectWay`; of clients of MQTT 5 everything but their connection,
 * see `Mqtt5Link`.
 *
 * QoS 2 (MQTT 3.1.1 §4.3.3): each transmission, repeats included, goes to the acceptor, PUBREC follows its `done`; local
 * subscribers see the first only, until PUBREL, which the acceptor is told of before PUBCOMP.
 */
export async function createBroker(options: BrokerOptions): Promise<Broker> {
  const adapter = new BrokerAdapter(options)
  await adapter.start()
  return adapter
}

class BrokerAdapter implements Broker {
  readonly peers: PeerDoor
  readonly devices: DoorOfDevices
  readonly #options: BrokerOptions
  readonly #aedes: LocalBroker
  readonly #open = new Set<GuardedSocket>()
  /** Stops the clock that a connection has until its CONNACK. */
  readonly #deadlines = new WeakMap<Duplex, () => void>()
  readonly #topics = new KnownTexts(KNOWN_TOPICS)
  readonly #ways = new WeakMap<Duplex, DirectWay>()
  readonly #gate: PublishGate
  readonly #policy: SubscriberPolicy
  readonly #links = new WeakMap<Duplex, Mqtt5Link>()
  readonly #sessions5: SessionStore
  readonly #wills: Wills
  readonly #linkParts: LinkParts
  readonly #sessions: Sessions
  readonly #unreleased: UnreleasedIds
  #closing = false
  /** Looks again whether what `close` waits for has come. */
  #changed: (() => void) | null = null

  constructor(options: BrokerOptions) {
    this.#options = options
    const { limits, counters, acceptor, access, clock, log } = options
    const gate = new PublishGate({ acceptor, clock, log, counters, onIdle: () => this.#changed?.() })
    this.#gate = gate
    this.devices = new DoorOfDevices(clock)
    const peers = new PeerDoor(options.peers ?? null, { gate, clock, goodbye: limits.drainTimeout })
    this.peers = peers
    const policy = new SubscriberPolicy(limits, counters, access, peers)
    this.#policy = policy
    const fanOut = new FanOut<LocalMessage>()
    const retained = new RetainedMessages(
      limits,
      () => clock.now(),
      () => counters.increment('retained.expired'),
    )
    const sessions = new Sessions(limits, {
      onQueueFull: () => counters.increment('sessions.droppedQueueFull'),
      onEvicted: () => counters.increment('sessions.evicted'),
    })
    const unreleased = new UnreleasedIds({ maxUnreleased: limits.maxUnreleased, maxClients: limits.maxConnections })
    const persistence = new MemoryPersistence<Client>(
      { sessions, retained, unreleased },
      {
        now: () => clock.now(),
        takeGrant: (subscription) => policy.takeGrant(subscription),
        isCurrent: (client) => client._authorized && (this.#aedes.clients[client.id] ?? client) === client,
        onReleased: (client, messageId) => this.#release(client, messageId),
        onRepeat: (client) => this.#ways.get(client.conn)?.caughtUp(),
      },
    )
    this.#aedes = new LocalBroker(
      {
        persistence,
        concurrency: 1_000,
        // The deadline set in `attach` comes first and is counted; this one is the library's own.
        connectTimeout: limits.connectTimeout * 2,
        drainTimeout: limits.drainTimeout,
        // What one chunk can hold: a client may send at once after CONNECT (MQTT 3.1.1 §3.1.4).
        queueLimit: 64 * 1024,
        maxInflightInbound: limits.maxUnreleased,
        maxTopicLevels: limits.maxTopicLevels,
        maxClientsIdLength: limits.maxClientIdBytes,
        preConnect: (client, packet, done) => this.#preConnect(client, packet, done),
        authenticate: (client, username, password, done) => this.#authenticate(client, username, password, done),
        authorizePublish: (client, packet, done) => {
          // A peer's messages never come this way.
          if (peers.isPeer(client)) done(strayMessage(packet.topic))
          else gate.pass(client, packet, done)
        },
        authorizeSubscribe: (client, subscription, done) => done(null, policy.grant(client, subscription)),
        authorizeForward: (client, packet) => policy.forward(client, packet),
      },
      { fanOut, sessions, retained },
      {
        onRetainRefused: (topic) => {
          counters.increment('retained.refused')
          log.debug({ topic }, 'retained message refused: the store is full')
        },
        onTakenOver: ({ id, conn }) => {
          counters.increment('clients.takenOver')
          log.debug({ clientId: id }, 'a new connection took over the client id')
          this.#links.get(conn)?.takenOver()
        },
        onPublished: (client) => this.#ways.get(client.conn)?.caughtUp(),
      },
    )
    const local = this.#aedes
    this.#wills = new Wills({ acceptor, clock, gate, local, counters, most: limits.maxSessions })
    this.#sessions5 = new SessionStore({ fanOut, limits, clock, counters }, (clientId) => {
      this.#wills.publishNow(clientId)
      this.#forgetUnreleased(clientId)
    })
    this.#sessions = sessions
    this.#unreleased = unreleased
    this.#linkParts = {
      acceptor,
      clock,
      gate,
      local,
      unreleased,
      limits,
      topics: this.#topics,
      policy,
      retained,
      sessions: this.#sessions5,
      wills: this.#wills,
      elsewhere: options.peers === undefined ? null : { reference: options.serverReference ?? null },
    }
  }

  async start(): Promise<void> {
    const { log, counters } = this.#options
    this.#aedes.on('unsubscribe', (filters, client) => this.#policy.revoke(client, filters))
    const failed = (client: Client, error: Error): void => {
      // aedes reports each write to a connection that is gone already.
      if (client.closed) return
      counters.increment('clients.failed')
      log.debug({ clientId: client.id, reason: error.message }, 'MQTT client failed')
    }
    this.#aedes.on('clientError', failed)
    this.#aedes.on('connectionError', failed)
    const emitter: EventEmitter = this.#aedes
    emitter.on('error', (error: Error) => log.error({ error }, 'MQTT broker error'))
    this.#aedes.on('connackSent', (packet, client) => {
      if (packet.returnCode === 0) this.#deadlines.get(client.conn)?.()
      else this.#links.get(client.conn)?.refused()
    })
    this.#aedes.on('keepaliveTimeout', (client) => this.#links.get(client.conn)?.silent())
    this.#aedes.on('clientReady', (client) => {
      const { conn } = client
      if (!(conn instanceof GuardedSocket)) return
      const peer = this.peers.open(client, conn)
      if (peer === null) this.devices.enter(conn)
      const link = this.#links.get(conn)
      if (link === undefined) {
        this.#sessions5.forget(client.id)
        this.#ways.get(conn)?.open(client, conn, peer)
      } else link.open(client, conn)
      // The library handles what came together with CONNECT right after this event; what comes now has to stay behind it.
      conn.accept()
    })
    await this.#aedes.listen()
  }

  attach(wire: Wire, peer: string): GuardedSocket {
    const { limits, clock, counters, log, acceptor, directWay = true } = this.#options
    const way = new DirectWay({ acceptor, clock, gate: this.#gate, local: this.#aedes, enabled: directWay })
    const connection: GuardedSocket = new GuardedSocket(wire, {
      guard: new VersionGuard(limits.maxConnectBytes, (speaks5) => {
        if (!speaks5) return new FrameGuard(limits, way, this.#topics)
        const link = new Mqtt5Link(this.#linkParts)
        this.#links.set(connection, link)
        connection.lend(link)
        return link
      }),
      maxInflightBytes: limits.maxInflightBytes,
      onViolation: (fault) => {
        counters.increment(`violations.${fault.code}`)
        log.debug({ code: fault.code, clientId: client.id, peer }, `MQTT connection cut: ${fault.message}`)
      },
      onClogged: (resume) => client.waitForDrain(resume),
    })
    const stopDeadline = clock.after(limits.connectTimeout, () => {
      counters.increment('connections.timedOut')
      connection.destroy()
    })
    this.#deadlines.set(connection, stopDeadline)
    this.#ways.set(connection, way)
    this.#open.add(connection)
    connection.once('close', () => {
      stopDeadline()
      this.#open.delete(connection)
      this.#changed?.()
    })
    const client = this.#aedes.handle(connection)
    // It was accepted before the listeners closed, and has been in a TLS handshake or an upgrade since.
    if (this.#closing) connection.destroy()
    return connection
  }

  publishLocal(topic: string, payload: Buffer | string, options: LocalPublishOptions = {}): void {
    const { qos = 0, retain = false } = options
    this.#aedes.publish({ cmd: 'publish', topic, payload, qos, retain, dup: false })
  }

  async close(grace: Millis): Promise<void> {
    this.#closing = true
    const { clock } = this.#options
    const deadline = clock.monotonic() + grace
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
    for (const connection of this.#open) connection.rest()
    await this.#until(() => this.#gate.pending === 0, deadline)
    // The last acknowledgements of QoS 2 are a few promises behind.
    await turn()
    for (const connection of this.#open) connection.hangUp()
    await this.#until(() => this.#open.size === 0, deadline)
    for (const connection of this.#open) connection.destroy()
    await this.#until(() => this.#open.size === 0, deadline)
    // aedes notices the end of a connection a little later than we do, and then publishes its will.
    await turn()
    await new Promise<void>((resolve) => this.#aedes.close(resolve))
    await turn()
    this.#sessions5.close()
    await this.#until(() => this.#gate.pending === 0, deadline)
  }

  /** A packet identifier that cannot be released durably ends the connection: the client says it again on its next one. */
  async #release(client: Client, messageId: number | null): Promise<void> {
    const { acceptor, log } = this.#options
    try {
      await acceptor.released(client.id, messageId)
    } catch (error) {
      log.debug({ clientId: client.id, messageId, reason: describeError(error) }, 'QoS 2 release refused')
      if (messageId !== null) client.conn.destroy()
    }
  }

  #preConnect(client: Client, packet: ConnectPacket, done: (error: Error | null, success: boolean) => void): void {
    // Without a CONNACK: to some clients a refusal is the end, but a connection that ends sends all of them to the next address.
    if (this.devices.isShut && !isPeerClient(packet.clientId)) {
      this.#options.counters.increment('clients.sentAway')
      client.conn.destroy()
      done(null, false)
      return
    }
    const longest = Math.max(1, Math.floor(this.#options.limits.maxKeepAlive / 1000))
    if (!packet.keepalive || packet.keepalive > longest) packet.keepalive = longest
    done(null, true)
  }

  #authenticate(
    client: Client,
    username: string | undefined,
    password: Buffer | undefined,
    done: (error: (Error & { returnCode: number }) | null, success: boolean) => void,
  ): void {
    const { access, counters, log } = this.#options
    const answer = (success: boolean): void => {
      if (!success) counters.increment('clients.authenticationFailed')
      // A session belongs to the version that made it: what the library keeps of the client it would restore.
      else if (this.#links.has(client.conn)) this.#sessions.clear(client.id)
      done(null, success)
    }
    const caller = this.peers.admit(client, username, password)
    const authenticate = access.authenticate?.bind(access)
    if (caller === 'peer too early') {
      done(serverUnavailable(), false)
      return
    }
    if (caller === 'impostor')
      log.debug({ clientId: client.id }, 'refused: it is not a peer, or does not know the secret')
    if (caller !== 'device' || authenticate === undefined) {
      answer(caller !== 'impostor')
      return
    }
    const ask = async (): Promise<boolean> => authenticate(client.id, username, password)
    ask().then(answer, (error: unknown) => {
      log.error({ error, clientId: client.id }, 'authentication failed to answer: the client is refused')
      answer(false)
    })
  }

  #forgetUnreleased(clientId: string): void {
    this.#unreleased.releaseAll(clientId)
    // Nobody waits for it: whoever begins clean again says it again.
    this.#options.acceptor.released(clientId, null).catch(() => undefined)
  }

  /** Resolves when `condition` holds or the deadline has passed. */
  #until(condition: () => boolean, deadline: Millis): Promise<void> {
    const { clock } = this.#options
    return new Promise((resolve) => {
      const left = Math.max(0, deadline - clock.monotonic())
      const finish = (): void => {
        stop()
        this.#changed = null
        resolve()
      }
      const stop = clock.after(left, finish)
      this.#changed = () => {
        if (condition()) finish()
      }
      this.#changed()
    })
  }
}

/** CONNACK 3 (MQTT 3.1.1 §3.2.2.3). */
const serverUnavailable = () => Object.assign(new Error('nobody serves peers yet'), { returnCode: 3 })
