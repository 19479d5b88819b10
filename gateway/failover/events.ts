import type { Offset } from '../../sync/contract/index.ts'

/** What failover tells the world; every call is for people and metrics, none needs an answer. */
/** Counted: acknowledged or refused without a peer where there was to be one, sessions with peers that ended, takeovers. */
export type FailoverCounter = 'failover.alone' | 'failover.refused' | 'failover.peersLost' | 'failover.takeovers'

export interface FailoverEvents {
  /** Sessions stand in both directions. */
  peerPresent(peer: string): void
  peerAway(peer: string, reason: string): void
  /** It has all that is here: what is acknowledged from now on is on two disks. */
  inStep(peer: string): void
  /** Its lanes are forwarded, and its alarms decided, here from now on. */
  tookOver(origin: string): void
  /** Somebody with a higher term forwards them; tried again later if the peer stays silent. */
  stoodDown(origin: string): void
  /** Everything that was here of an origin is in the stream, or its gateway is back. */
  gaveBack(origin: string): void
  /** Readings came back from the centre that the replica lacked. */
  filled(origin: string, from: Offset, count: number): void
  troubled(what: string, error: unknown): void
}
