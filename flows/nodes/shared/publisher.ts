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

/**
 * Publishes readings to the gateway as a device does: over MQTT at QoS 1, so that "done" means "on disk". One connection for all
 * nodes of a gateway, made when the first reading is published.
 */
export class Publisher {
  readonly #api: GatewayApi
  readonly #login: Login | null
  #users = 0
  #underWay = 0
  #link: Promise<{ client: MqttClient; ways: Ways }> | null = null

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
      const { client, ways } = await this.#connect()
      const topic = topicFor(ways.topics, ways.site === undefined ? names : { site: ways.site, ...names })
      await this.#confirmed(client, topic, JSON.stringify(body))
      return topic
    } finally {
      this.#underWay--
    }
  }

  async #confirmed(client: MqttClient, topic: string, payload: string): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${CONFIRMED_WITHIN / 1000} s`)), CONFIRMED_WITHIN)
    })
    try {
      await Promise.race([client.publishAsync(topic, payload, { qos: 1 }), late])
    } catch (cause) {
      // It may be another gateway, at another port, by now.
      await this.#drop()
      throw new RetryableError('PUBLISH_UNCONFIRMED', `the gateway did not acknowledge ${topic}`, { cause })
    } finally {
      clearTimeout(timer)
    }
  }

  #connect(): Promise<{ client: MqttClient; ways: Ways }> {
    this.#link ??= this.#dial().catch((error: unknown) => {
      this.#link = null
      throw error
    })
    return this.#link
  }

  async #dial(): Promise<{ client: MqttClient; ways: Ways }> {
    const ways = await this.#api.get<Ways>('/status')
    const url = ways.listeners.find((listener) => USABLE.test(listener))
    if (url === undefined) {
      throw new RetryableError(
        'PUBLISH_NO_LISTENER',
        `expected an mqtt:// or ws:// listener, got ${ways.listeners.join(', ') || 'none'}`,
      )
    }
    const { default: mqtt } = await import('mqtt')
    const client = await mqtt
      .connectAsync(url.replace('://0.0.0.0', '://127.0.0.1').replace('://[::]', '://[::1]'), {
        ...this.#login,
        reconnectPeriod: 1000,
        connectTimeout: 5000,
      })
      .catch((cause: unknown) => {
        throw new RetryableError('PUBLISH_UNCONFIRMED', `no MQTT connection to ${url}`, { cause })
      })
    // Without a listener an error event would end the process; what it means is seen by the publish that is not acknowledged.
    client.on('error', () => {})
    return { client, ways }
  }

  async #drop(): Promise<void> {
    const link = this.#link
    this.#link = null
    const connected = await link?.catch(() => null)
    await connected?.client.endAsync(true).catch(() => undefined)
  }
}
