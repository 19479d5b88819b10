import { deliveryOf, type Transcript } from './play.ts'
import type { ReceivedPacket } from './raw-client.ts'
import { CLIENTS } from './script.ts'

const PUBLISH = 3
const PUBREL = 6

/** Each server has a name of its own in the topics of what it says about itself. */
const ITS_OWN = /^\$SYS\/[0-9a-f-]{36}\//

/**
 * A packet that carries no message, every byte of it. Of PUBREL only that it came: it answers for a message by its identifier, which is given
 * in the order in which copies go out, and that is free between publishers.
 */
const describePacket = ({ type, flags, body }: ReceivedPacket): string =>
  type === PUBREL ? `${type}/${flags}` : `${type}/${flags} ${body.toString('hex')}`

/** Connection and QoS that a message was published with, which its payload begins with. */
const originOf = (payload: string): string => payload.split('.').slice(0, 2).join(' QoS ')

/** The messages that came, by where they came from: MQTT-4.6.0-6 keeps the order of one publisher and one QoS only. */
function messagesOf(packets: readonly ReceivedPacket[], orphans: ReadonlySet<string>): Record<string, string[]> {
  const messages: Record<string, string[]> = {}
  for (const packet of packets) {
    if (packet.type !== PUBLISH) continue
    const { id, topic, ...rest } = deliveryOf(packet)
    if (orphans.has(rest.payload)) continue
    const message = JSON.stringify({ topic: topic.replace(ITS_OWN, '$SYS/broker/'), ...rest, hasId: id > 0 })
    put(messages, originOf(rest.payload), message)
  }
  return messages
}

/** Identifiers that the server gave, in order: whichever message gets which, they are the same. */
const idsOf = (packets: readonly ReceivedPacket[]): number[] =>
  packets
    .filter(({ type }) => type === PUBLISH)
    .map((packet) => deliveryOf(packet).id)
    .filter((id) => id > 0)

const othersOf = (packets: readonly ReceivedPacket[]): ReceivedPacket[] =>
  packets.filter(({ type }) => type !== PUBLISH)

const acceptedBy = (transcript: Transcript) =>
  transcript.accepted.map(({ step, publish: { clientId, topic, text, qos, dup, messageId } }) => ({
    step,
    clientId,
    topic,
    text,
    qos,
    dup,
    messageId,
  }))

/** By client: nothing says who comes first when several say something at the same time, or end with the server. */
const byClient = <T extends { clientId: string }>(all: readonly T[]): T[][] =>
  Array.from({ length: CLIENTS }, (_, n) => all.filter(({ clientId }) => clientId === `c${n}`))

/** What each connection got in each step of a script that was played frame by frame, packet for packet. */
export function frameByFrame(transcript: Transcript, orphans: ReadonlySet<string>) {
  const rows = transcript.seen.map(({ step, connection, packets, ended }) => {
    // Copies on their way when the server hangs up: whether they have been written depends on the moment.
    const copies = step < transcript.steps
    return {
      step,
      connection,
      others: othersOf(packets).map(describePacket),
      messages: copies ? messagesOf(packets, orphans) : {},
      ids: copies && orphans.size === 0 ? idsOf(packets) : [],
      ended,
    }
  })
  return {
    seen: rows.filter(({ others, messages, ended }) => ended || others.length > 0 || Object.keys(messages).length > 0),
    accepted: byClient(acceptedBy(transcript)),
    releases: byClient(transcript.releases),
    counts: transcript.counts,
  }
}

/** What each connection got from its beginning to its end, each kind of packet in its order. */
export function kindByKind(transcript: Transcript, orphans: ReadonlySet<string>) {
  const connections = [...new Set(transcript.seen.map(({ connection }) => connection))].sort((a, b) => a - b)
  const seen = connections.map((connection) => {
    const rows = transcript.seen.filter((row) => row.connection === connection)
    const packets = rows.flatMap((row) => row.packets)
    const others: Record<string, string[]> = {}
    for (const packet of othersOf(packets)) put(others, `${packet.type}`, describePacket(packet))
    return { connection, others, messages: messagesOf(packets, orphans), ended: rows.find(({ ended }) => ended)?.step }
  })
  const accepted = byClient(acceptedBy(transcript)).map((all) => all.map(({ step, ...publish }) => publish))
  return { seen, accepted, releases: byClient(transcript.releases), counts: transcript.counts }
}

function put(lists: Record<string, string[]>, name: string, entry: string): void {
  const list = lists[name] ?? []
  list.push(entry)
  lists[name] = list
}
