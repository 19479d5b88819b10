import type { Millis } from '../../../sync/contract/index.ts'

/** Where a peer can be dialled. */
export interface PeerAddress {
  /** Its name. */
  gateway: string
  /** `mqtt://host:port`, or `mqtts://host:port`. */
  url: string
  /** PEM text of the authority that its certificate is from; the system's own when not given. */
  ca?: string
}

/** What a gateway needs to know to talk to its peers, in both directions. */
export interface PeerSettings {
  /** Own name. */
  gateway: string
  /** What gateways show each other. */
  secret: string
  peers: readonly PeerAddress[]
  /** How long one attempt to dial may take. */
  dialTimeout: Millis
  /** A connection on which nothing comes for about one and a half times as long is cut; whole seconds. */
  keepAlive: Millis
}
