import type { MqttClient } from 'mqtt'
import { type Millis, RetryableError } from '../../../sync/contract/index.ts'
import type { GatewayApi } from '../../api/index.ts'
import { type TopicNames, topicFor } from './topic.ts'

export interface Login {
  username: string
  password: string
}

/** From the publish to the gateway's acknowledgement. */
const CONFIRMED_WITHIN: Millis = 10_000

/** Publishes under way at most; more come to nothing but memory. */
const UNDER_WAY = 1000

/** An address that takes a client from this machine without a certificate. */
const USABLE = /^(?:mqtt|tcp|ws):\/\//

/** The part of `GET /status` that says where and how to publish. */
interface Ways {
  site?: string
  listeners: readonly string[]
  topics: readonly string[]
}

interface Link {
  client: MqttClient
  ways: Ways
  /** Rejects when the connection is gone. */
  closed: Promise<never>
}

/**
 * Publishes readings to the gateway as a device does: over MQTT at QoS 1, so that "done" means "on disk". One connection for all
 * nodes of a gateway, made when the first reading is published.
 */
export class Publisher {
  readonly #api: GatewayApi
  readonly #login: Login | null
  #users = 0
  #underWay = 0
  #link: Promise<Link> | null = null
  /** The newest one: when an older one closes, that is no news. */
  #client: MqttClient | null = null

  constructor(api: GatewayApi, login: Login | null) {
    this.#api = api
    this.#login = login
  }

  /** A node that publishes is there. */
  acquire(): void {
    this.#users++
  }

  /** It has gone: the last one closes the connection. */
  async release(): Promise<void> {
    this.#users--
    if (this.#users === 0) await this.#drop()
  }

  /**
   * @returns the topic, when the gateway has acknowledged
   * @throws UsageError when the names make no topic
   * @throws RetryableError `PUBLISH_UNCONFIRMED` when no acknowledgement came in time (the reading may have arrived all the same),
   *   `PUBLISH_BUSY` when too many are under way
   * @throws GatewayAwayError when the gateway cannot be asked where to publish
   */
  async publish(names: TopicNames, body: Readonly<Record<string, unknown>>): Promise<string> {
    if (this.#underWay >= UNDER_WAY) {
      throw new RetryableError(
        'PUBLISH_BUSY',
        `${UNDER_WAY} readings wait for their acknowledgement: send them more slowly`,
      )
    }
    this.#underWay++
    try {
      const link = await this.#connect()
      const { ways } = link
      const topic = topicFor(ways.topics, ways.site === undefined ? names : { site: ways.site, ...names })
      await this.#confirmed(link, topic, JSON.stringify(body))
      return topic
    } finally {
      this.#underWay--
    }
  }

  async #confirmed({ client, closed }: Link, topic: string, payload: string): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${CONFIRMED_WITHIN / 1000} s`)), CONFIRMED_WITHIN)
    })
    try {
      await Promise.race([client.publishAsync(topic, payload, { qos: 1 }), late, closed])
    } catch (cause) {
      await this.#drop()
      throw new RetryableError('PUBLISH_UNCONFIRMED', `the gateway did not acknowledge ${topic}`, { cause })
    } finally {
      clearTimeout(timer)
    }
  }

  #connect(): Promise<Link> {
    this.#link ??= this.#dial().catch((error: unknown) => {
      this.#link = null
      throw error
    })
    return this.#link
  }

  async #dial(): Promise<Link> {
    const ways = await this.#api.get<Ways>('/status')
    const url = ways.listeners.find((listener) => USABLE.test(listener))
    if (url === undefined) {
      throw new RetryableError(
        'PUBLISH_NO_LISTENER',
        `expected an mqtt:// or ws:// listener, got ${ways.listeners.join(', ') || 'none'}`,
      )
    }
    const { default: mqtt } = await import('mqtt')
    // A gateway that comes back may have other ports: each connection begins with the question where it is.
    const options = { ...this.#login, reconnectPeriod: 0, connectTimeout: 5000 }
    const client = await mqtt.connectAsync(reachable(url), options).catch((cause: unknown) => {
      throw new RetryableError('PUBLISH_UNCONFIRMED', `no MQTT connection to ${url}`, { cause })
    })
    // Without a listener an error event would end the process; what it means is seen by the publish that is not acknowledged.
    client.on('error', () => {})
    const closed = new Promise<never>((_, reject) => {
      client.once('close', () => {
        reject(new Error('the connection closed'))
        if (this.#client === client) void this.#drop()
      })
    })
    // Nobody may be waiting for it.
    closed.catch(() => undefined)
    this.#client = client
    return { client, ways, closed }
  }

  async #drop(): Promise<void> {
    const link = this.#link
    this.#link = null
    const connected = await link?.catch(() => null)
    await connected?.client.endAsync(true).catch(() => undefined)
  }
}

/** A listener on all interfaces is reached on this machine's own. */
const reachable = (url: string): string => url.replace('://0.0.0.0', '://127.0.0.1').replace('://[::]', '://[::1]')
