import { escapeToken } from '../../../sync/contract/index.ts'

const PREFIX = '@peer/'
const ROOT = '$tidegate'

/** How a gateway appears in the MQTT of its peers. */
export interface PeerNames {
  /** Client id and user name. */
  readonly client: string
  /** Its messages go there. */
  readonly up: string
  /** The peer's answers come there. */
  readonly down: string
}

/** A gateway's name may hold anything, so it is escaped: one level of a topic, no wildcard. */
export function peerNames(gateway: string): PeerNames {
  const name = escapeToken(gateway)
  return { client: `${PREFIX}${name}`, up: `${ROOT}/${name}/up`, down: `${ROOT}/${name}/down` }
}

/** Whether a client id or a user name is one that only a peer may have. */
export const isPeerClient = (name: string): boolean => name.startsWith(PREFIX)

/** Whether a topic, or a topic filter, is one that only peers may use. */
export const isPeerTopic = (topic: string): boolean => topic.startsWith(`${ROOT}/`) || topic === ROOT
