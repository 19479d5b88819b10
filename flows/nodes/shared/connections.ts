import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { OperatorError } from '../../../sync/contract/index.ts'
import { type Clock, type Random, systemClock, systemRandom } from '../../../sync/runtime/index.ts'
import { GatewayApi } from '../../api/index.ts'
import type { Red } from '../red.ts'
import { AlarmList } from './alarm-list.ts'
import { Cursor } from './cursor.ts'
import { EventHub } from './event-hub.ts'
import { type Login, Publisher } from './publisher.ts'
import { RuleBook } from './rule-book.ts'

/** What all nodes of one gateway share. */
export interface Connection {
  readonly api: GatewayApi
  readonly rules: RuleBook
  readonly events: EventHub
  readonly alarms: AlarmList
  /** For each user name that flows publish as. */
  readonly publishers: Map<string, Publisher>
}

/** What the configuration node holds; all of it may be left out. */
export interface GatewayAddress {
  apiFile: string | null
  login: Login | null
}

/** Where the gateway that started Node-RED has its `api.json`. */
const API_VARIABLE = 'TIDEGATE_API'

/** One for each address, for the life of the process: deploys come and go. */
const connections = new Map<string, Connection>()

/**
 * The connection of a node: to the gateway of its configuration node, or, without one, to the gateway that Node-RED belongs to.
 *
 * @throws OperatorError `GATEWAY_UNKNOWN` when nobody has said where the gateway is
 */
export function connectionOf(red: Red, gatewayNode: string | undefined): Connection {
  const file = addressOf(red, gatewayNode).apiFile ?? process.env[API_VARIABLE] ?? ''
  if (file === '') {
    throw new OperatorError(
      'GATEWAY_UNKNOWN',
      `expected a gateway node with the path of the gateway's api.json, or the variable ${API_VARIABLE}`,
    )
  }
  const connection = connections.get(file) ?? connect(file, red.settings.userDir ?? '.', systemClock, systemRandom)
  connections.set(file, connection)
  return connection
}

/**
 * What publishes readings to that gateway, as the user that its configuration node names.
 *
 * @throws OperatorError `GATEWAY_UNKNOWN`
 */
export function publisherOf(red: Red, gatewayNode: string | undefined): Publisher {
  const { api, publishers } = connectionOf(red, gatewayNode)
  const { login } = addressOf(red, gatewayNode)
  const key = JSON.stringify(login)
  const publisher = publishers.get(key) ?? new Publisher(api, login)
  publishers.set(key, publisher)
  return publisher
}

function addressOf(red: Red, gatewayNode: string | undefined): GatewayAddress {
  const chosen = (gatewayNode ? red.nodes.getNode(gatewayNode) : null) as { address?: GatewayAddress } | null
  return chosen?.address ?? { apiFile: null, login: null }
}

/**
 * All flows are there: events are handed on, and every gateway gets its set of rules, also the empty one of a gateway whose last
 * threshold node was deleted.
 */
export function flowsComplete(red: Red): void {
  if ((process.env[API_VARIABLE] ?? '') !== '') connectionOf(red, undefined)
  for (const { rules, events } of connections.values()) {
    events.complete()
    rules.complete()
  }
}

function connect(file: string, userDir: string, clock: Clock, random: Random): Connection {
  const api = new GatewayApi(file, clock)
  const alarms = new AlarmList(api)
  const name = createHash('sha256').update(file).digest('hex').slice(0, 12)
  const cursor = new Cursor(join(userDir, 'tidegate', `events-${name}.json`), clock)
  let before = false
  const opened = (): void => {
    // A gateway that comes back may have lost what it had: the rules are sent again, which changes nothing where it has them.
    if (before) rules.deploy()
    before = true
    void alarms.refresh()
  }
  const events = new EventHub({ api, cursor, clock, random, opened, passed: (event) => alarms.take(event) })
  const rules = new RuleBook({ api, clock, random, heard: (waits) => events.placed(waits) })
  return { api, rules, alarms, events, publishers: new Map() }
}
