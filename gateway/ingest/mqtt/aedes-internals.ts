import type { Client } from 'aedes'

/**
 * The members of aedes 1.2 that the broker relies on and that its declarations leave out. Everything that ties us to the
 * inside of the library is on this page and in `broker.ts`; the version is pinned to 1.2 for that reason.
 */
declare module 'aedes' {
  interface Aedes {
    /** Connected clients by client id. */
    readonly clients: Record<string, Client | undefined>
    /** Number of the last message published. */
    counter: number
    /** A client's CONNECT was accepted: closes the one that had its id (MQTT-3.1.4-2). */
    registerClient(client: Client): void
    unregisterClient(client: Client): void
    deleteClient(clientId: string): void
  }

  interface Client {
    /** Granted subscriptions by filter. */
    readonly subscriptions: Record<string, { qos: 0 | 1 | 2 } | undefined>
    readonly will: object | null
    readonly _authorized: boolean
    /** Runs out when the client is silent for too long; null before CONNECT and from `close` on. */
    readonly _keepaliveTimer: NodeJS.Timeout | null
    /** Calls back when the connection has drained or is gone; cuts it when that takes longer than `drainTimeout`. */
    waitForDrain(callback: () => void): void
  }
}

export type { Client }
