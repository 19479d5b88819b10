import { createHash, timingSafeEqual } from 'node:crypto'
import {
  type HostedSession,
  isPeerClient,
  type PeerHandler,
  type PeerHost,
  type PeerNames,
  peerNames,
} from '../../failover/link/index.ts'
import type { Client } from './aedes-internals.ts'
import type { GuardedSocket } from './guarded-socket.ts'
import { PeerLink, type PeerLinkParts } from './peer-link.ts'

/** Who may log in as a gateway of this site. */
export interface PeerLogin {
  /** What peers have to know. */
  readonly secret: string
  readonly peers: readonly { readonly gateway: string }[]
}

/** Who a CONNECT comes from. */
export type Caller = 'device' | 'peer' | 'impostor' | 'peer too early'

/**
 * The door for peers: they come to the listeners of the devices and are told apart by their client id, which nobody else may
 * have. What they publish goes to whoever serves peers, not to the acceptor, and what that says goes to their
 * connection only.
 *
 * A session stands when the peer has subscribed to its answers.
 */
export class PeerDoor implements PeerHost {
  readonly #secret: Buffer
  readonly #known = new Map<string, { gateway: string; names: PeerNames }>()
  readonly #parts: PeerLinkParts
  readonly #links = new WeakMap<Client, PeerLink>()
  /** The living session of each peer. */
  readonly #sessions = new Map<string, HostedSession>()
  #handler: PeerHandler | null = null

  /** @param login null: this gateway has no peers, and lets none in */
  constructor(login: PeerLogin | null, parts: PeerLinkParts) {
    this.#secret = digest(login?.secret ?? '')
    this.#parts = parts
    for (const { gateway } of login?.peers ?? []) {
      const names = peerNames(gateway)
      this.#known.set(names.client, { gateway, names })
    }
  }

  serve(handler: PeerHandler): void {
    this.#handler = handler
  }

  /** Looks at a CONNECT; a peer is a peer from here on. */
  admit(client: Client, username: string | undefined, password: Buffer | undefined): Caller {
    if (!isPeerClient(client.id) && !isPeerClient(username ?? '')) return 'device'
    const known = this.#known.get(client.id)
    const shown = timingSafeEqual(digest(password ?? ''), this.#secret)
    if (known === undefined || username !== client.id || !shown) return 'impostor'
    if (this.#handler === null) return 'peer too early'
    this.#links.set(client, new PeerLink(known.gateway, known.names, client, this.#parts))
    return 'peer'
  }

  /** The client's connection is accepted: what a peer may send is more than what a device may. */
  open(client: Client, connection: GuardedSocket): PeerLink | null {
    const link = this.#links.get(client) ?? null
    link?.open(connection)
    return link
  }

  isPeer(client: Client | null): boolean {
    return client !== null && this.#links.has(client)
  }

  /** Whether a peer may subscribe to `filter`: to its answers only. The session stands once it has. */
  mayReceive(client: Client, filter: string): boolean {
    const link = this.#links.get(client)
    if (link === undefined || filter !== link.names.down) return false
    this.#begin(link)
    return true
  }

  #begin(link: PeerLink): void {
    if (this.#handler === null || link.session !== null) return
    this.#sessions.get(link.gateway)?.end(new Error('the peer has dialled anew'))
    const session = link.begin()
    if (session === null) return
    this.#sessions.set(link.gateway, session)
    this.#handler.opened(link.gateway, session)
  }
}

/** Of equal length, whatever was shown: a comparison then says nothing by the time it takes. */
const digest = (text: string | Buffer): Buffer => createHash('sha256').update(text).digest()
