import type { AedesPublishPacket, Subscription } from 'aedes'
import type { Bytes } from '../../../sync/contract/index.ts'
import { isPeerTopic } from '../../failover/link/index.ts'
import type { MqttAccess } from './access.ts'
import type { Client } from './aedes-internals.ts'
import { GuardedSocket } from './guarded-socket.ts'
import type { MqttCounters } from './observation.ts'
import type { PeerDoor } from './peer-door.ts'
import { filterMatches } from './topic-trie.ts'

export interface SubscriberLimits {
  maxSubscriptionsPerClient: number
  slowReaderBytes: Bytes
}

/** Who may subscribe to what, and which copies of a message go out. */
export class SubscriberPolicy {
  readonly #limits: SubscriberLimits
  readonly #counters: MqttCounters
  readonly #access: MqttAccess
  readonly #peers: PeerDoor
  /** Granted filters of each connection: aedes' own list comes promises later, when more have been asked for. */
  readonly #filters = new WeakMap<Client, Set<string>>()
  /** Subscriptions of a SUBSCRIBE under way. */
  readonly #granted = new WeakSet<object>()

  constructor(limits: SubscriberLimits, counters: MqttCounters, access: MqttAccess, peers: PeerDoor) {
    this.#limits = limits
    this.#counters = counters
    this.#access = access
    this.#peers = peers
  }

  /** @returns null when the filter is denied (SUBACK 0x80, MQTT 3.1.1 §3.9.3) */
  grant(client: Client, subscription: Subscription): Subscription | null {
    if (this.judge(client, subscription.topic) !== 'granted') return null
    this.#granted.add(subscription)
    return subscription
  }

  /** Whether the client may subscribe to `filter`; from then on it has one subscription more. */
  judge(client: Client, filter: string): 'granted' | 'too many' | 'denied' {
    const filters = this.#filtersOf(client)
    const full = !filters.has(filter) && filters.size >= this.#limits.maxSubscriptionsPerClient
    const verdict = full ? 'too many' : this.#mayReceive(client, filter) ? 'granted' : 'denied'
    if (verdict === 'granted') filters.add(filter)
    else this.#counters.increment('subscriptions.refused')
    return verdict
  }

  /** Whether `grant` has granted this very subscription and nobody has asked so before. */
  takeGrant(subscription: object): boolean {
    return this.#granted.delete(subscription)
  }

  /** The client unsubscribed. */
  revoke(client: Client, filters: readonly string[]): void {
    for (const filter of filters) this.#filtersOf(client).delete(filter)
  }

  /** Runs for each copy of a message just before it goes to a subscriber; null drops that copy. */
  forward(client: Client, packet: AedesPublishPacket): AedesPublishPacket | null {
    if (client.closed) return null
    // Only a message that was kept for a session has a packet identifier already. What the session may receive can have
    // changed since: its subscriptions were granted anew when it came back.
    if (packet.messageId !== undefined) {
      if (grantedQos(client, packet.topic) !== null) return packet
      this.#counters.increment('forwards.droppedUnauthorized')
      return null
    }
    if (client.conn instanceof GuardedSocket && client.conn.backlog > this.#limits.slowReaderBytes) {
      this.#counters.increment('forwards.droppedSlow')
      return null
    }
    // aedes lowers the QoS of a message only for subscriptions without wildcards (MQTT-3.8.4-6).
    if (packet.qos === 2 || (packet.qos === 1 && packet.retain)) {
      packet.qos = lower(packet.qos, grantedQos(client, packet.topic) ?? 0)
    }
    return packet
  }

  #mayReceive(client: Client, filter: string): boolean {
    if (isPeerTopic(filter) || this.#peers.isPeer(client)) return this.#peers.mayReceive(client, filter)
    return this.#access.mayReceive?.(client.id, filter) ?? true
  }

  #filtersOf(client: Client): Set<string> {
    const known = this.#filters.get(client)
    if (known !== undefined) return known
    const filters = new Set<string>()
    this.#filters.set(client, filters)
    return filters
  }
}

const lower = (a: 0 | 1 | 2, b: 0 | 1 | 2): 0 | 1 | 2 => (a < b ? a : b)

/** The highest QoS of the client's granted subscriptions that match `topic`; null when none does. */
function grantedQos(client: Client, topic: string): 0 | 1 | 2 | null {
  let highest: 0 | 1 | 2 | null = null
  for (const [filter, subscription] of Object.entries(client.subscriptions)) {
    if (subscription === undefined || subscription.qos <= (highest ?? -1)) continue
    if (filterMatches(filter, topic)) highest = subscription.qos
  }
  return highest
}
