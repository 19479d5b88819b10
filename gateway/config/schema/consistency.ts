import { peerNames } from '../../failover/link/index.ts'
import { compileTopics } from '../../ingest/topics/index.ts'
import { formatBytes } from '../bytes.ts'
import { formatDuration } from '../duration.ts'
import type { Config } from './index.ts'

type Path = readonly PropertyKey[]

/** Something that must hold between several keys. */
export interface ConsistencyRule {
  /** The key that the message is about. */
  path: Path
  /** Every key (or section) that the rule looks at, `path` included. */
  looksAt: readonly Path[]
  holds(config: Config): boolean
  message(config: Config): string
}

/** Whether a problem at `problem` leaves the rule without a valid value to look at. */
export function concerns(rule: ConsistencyRule, problem: Path): boolean {
  const related = (a: Path, b: Path): boolean => a.every((key, i) => i >= b.length || key === b[i])
  return rule.looksAt.some((path) => related(path, problem))
}

/** Why the topics cannot be told apart as written; null when they can. */
function topicFault({ site, ingest }: Config): string | null {
  try {
    compileTopics({ site, templates: ingest.topics, local: ingest.localTopics })
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Room in an MQTT PUBLISH for everything that is not payload: fixed header, topic length, packet identifier. */
const PUBLISH_OVERHEAD = 9

function rule(looksAt: readonly string[], holds: ConsistencyRule['holds'], message: ConsistencyRule['message']) {
  const paths = looksAt.map((path) => path.split('.'))
  return { path: paths[0] ?? [], looksAt: paths, holds, message }
}

function duplicateListener({ mqtt }: Config): string | null {
  const seen = new Set<string>()
  for (const listener of mqtt.listeners) {
    if (listener.kind !== 'unix' && listener.port === 0) continue
    const address = listener.kind === 'unix' ? listener.path : `${listener.host}:${listener.port}`
    if (seen.has(address)) return address
    seen.add(address)
  }
  return null
}

const waysIn = ({ central }: Config): string[] =>
  (['credentials', 'user', 'token'] as const).filter((key) => central[key] !== undefined)

const secretsOf = ({ failover }: Config): string[] =>
  (['secret', 'secretFile'] as const).filter((key) => failover[key] !== undefined)

/** What is wrong with the names and addresses of the peers; null when nothing is. */
function peerFault({ gateway, failover: { peers } }: Config): string | null {
  const names = peers.map((peer) => peer.gateway)
  if (names.includes(gateway)) return `gateways other than this one, but one is called '${gateway}' too`
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) return `a name of its own for every peer, but two are called '${twice}'`
  const open = peers.find(({ url, ca }) => ca !== undefined && !url.startsWith('mqtts:'))
  return open === undefined
    ? null
    : `an mqtts:// address where there is a \`ca\`, but '${open.gateway}' has ${open.url}`
}

/** A peer whose client id or topics are too long for the listeners that it has to come to; null when none is. */
function unwieldyPeer({ failover, mqtt: { limits } }: Config): string | null {
  const bad = failover.peers.find(({ gateway }) => {
    const { client, down } = peerNames(gateway)
    return client.length > limits.maxClientIdBytes || down.length > limits.maxTopicBytes
  })
  return bad?.gateway ?? null
}

const isReplicated = ({ failover, ingest }: Config): boolean =>
  failover.durability === 'replicated' || ingest.topics.some((topic) => topic.durability === 'replicated')

export const CONSISTENCY: readonly ConsistencyRule[] = [
  rule(
    ['mqtt.listeners'],
    (config) => duplicateListener(config) === null,
    (config) => `an address for every listener; '${duplicateListener(config)}' is used twice`,
  ),
  rule(
    ['mqtt.limits.maxConnectionsPerAddress', 'mqtt.limits.maxConnections'],
    ({ mqtt: { limits } }) => limits.maxConnectionsPerAddress <= limits.maxConnections,
    ({ mqtt: { limits } }) => `at most mqtt.limits.maxConnections (${limits.maxConnections})`,
  ),
  rule(
    ['ingest.topics', 'ingest.localTopics', 'site'],
    (config) => topicFault(config) === null,
    (config) => `topics that can be told apart, but ${topicFault(config)}`,
  ),
  rule(
    ['ingest.maxPayload', 'mqtt.limits.maxPacket', 'mqtt.limits.maxTopicBytes'],
    ({ ingest, mqtt: { limits } }) => ingest.maxPayload + limits.maxTopicBytes + PUBLISH_OVERHEAD <= limits.maxPacket,
    ({ mqtt: { limits } }) =>
      `a payload that fits into mqtt.limits.maxPacket (${formatBytes(limits.maxPacket)}) with a topic of mqtt.limits.maxTopicBytes (${limits.maxTopicBytes})`,
  ),
  rule(
    ['ingest.maxPendingBytes', 'ingest.maxPayload'],
    ({ ingest }) => ingest.maxPayload <= ingest.maxPendingBytes,
    ({ ingest }) => `at least ingest.maxPayload (${formatBytes(ingest.maxPayload)})`,
  ),
  rule(
    ['outbox.maxBytes', 'outbox.retainAcked.bytes', 'outbox.block.maxBytes'],
    ({ outbox }) => outbox.retainAcked.bytes + 4 * outbox.block.maxBytes <= outbox.maxBytes,
    ({ outbox }) =>
      `more than outbox.retainAcked.bytes (${formatBytes(outbox.retainAcked.bytes)}) and four blocks, or nothing new would fit`,
  ),
  rule(
    ['forward.pack.maxBytes', 'outbox.block.maxBytes'],
    ({ forward, outbox }) => outbox.block.maxBytes <= forward.pack.maxBytes,
    ({ outbox }) => `at least outbox.block.maxBytes (${formatBytes(outbox.block.maxBytes)}): a pack holds whole blocks`,
  ),
  rule(
    ['forward.pack.minBytes', 'forward.pack.maxBytes'],
    ({ forward: { pack } }) => pack.minBytes <= pack.maxBytes,
    ({ forward: { pack } }) => `at most forward.pack.maxBytes (${formatBytes(pack.maxBytes)})`,
  ),
  rule(
    ['central.retry.min', 'central.retry.max'],
    ({ central: { retry } }) => retry.min <= retry.max,
    ({ central: { retry } }) => `at most central.retry.max (${formatDuration(retry.max)})`,
  ),
  rule(
    ['central.replicas'],
    ({ central }) => central.replicas % 2 === 1,
    () => '1, 3 or 5: an even number of replicas survives no more failures than one less',
  ),
  rule(
    ['central.user', 'central.credentials', 'central.token'],
    (config) => waysIn(config).length <= 1,
    (config) => `one way to sign in to the centre, not ${waysIn(config).join(' and ')}`,
  ),
  rule(
    ['central.password', 'central.user'],
    ({ central }) => (central.user === undefined) === (central.password === undefined),
    () => 'central.user and central.password together, or neither',
  ),
  rule(
    ['central.tls'],
    ({ central: { tls } }) => (tls?.cert === undefined) === (tls?.key === undefined),
    () => 'central.tls.cert and central.tls.key together, or neither',
  ),
  rule(
    ['failover.peers', 'gateway'],
    (config) => peerFault(config) === null,
    (config) => `${peerFault(config)}`,
  ),
  rule(
    ['failover.peers', 'mqtt.limits.maxClientIdBytes', 'mqtt.limits.maxTopicBytes'],
    (config) => unwieldyPeer(config) === null,
    (config) =>
      `names that fit into mqtt.limits.maxClientIdBytes and mqtt.limits.maxTopicBytes, but '${unwieldyPeer(config)}' is too long`,
  ),
  rule(
    ['failover.secret', 'failover.secretFile', 'failover.peers'],
    (config) => (config.failover.peers.length === 0 ? secretsOf(config).length <= 1 : secretsOf(config).length === 1),
    (config) =>
      secretsOf(config).length === 0
        ? 'a secret that the peers know too, here or in failover.secretFile'
        : 'either failover.secret or failover.secretFile',
  ),
  rule(
    ['failover.durability', 'failover.peers', 'ingest.topics'],
    (config) => config.failover.peers.length > 0 || !isReplicated(config),
    ({ failover }) =>
      failover.durability === 'replicated'
        ? 'failover.peers where readings are replicated to'
        : "failover.peers, because ingest.topics has a topic with 'replicated'",
  ),
  rule(
    ['failover.awayAfter', 'failover.heartbeat'],
    ({ failover }) => failover.heartbeat * 3 <= failover.awayAfter,
    ({ failover }) =>
      `at least three times failover.heartbeat (${formatDuration(failover.heartbeat)}), so that one late sign of life is no end`,
  ),
  rule(
    ['failover.takeoverAfter', 'failover.awayAfter'],
    ({ failover }) => failover.awayAfter <= failover.takeoverAfter,
    ({ failover }) => `at least failover.awayAfter (${formatDuration(failover.awayAfter)})`,
  ),
]
