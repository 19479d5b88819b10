import type { Durability } from '../ingest/topics/index.ts'
import type { Refusal } from './uplink.ts'

export interface PeerStatus {
  gateway: string
  /** Sessions stand in both directions. */
  present: boolean
  /** It has all that is here. */
  inStep: boolean
  /** Own records of all lanes that it does not have yet. */
  behind: number
  /** Readings of it here that the centre does not have, as far as is known. */
  holds: number
  /** Its alarms are decided here, and its readings forwarded. */
  takenOver: boolean
  /** It takes no devices: it has handed over, or is about to stop. */
  leaving: boolean
  /** Why it is not present, when that is not the network's doing: what it said to the last attempt, or what is wrong with it. */
  refusal: Refusal | null
}

export interface FailoverStatus {
  durability: Durability
  /** Replicated, but no peer is in step: what is acknowledged now is on one disk. */
  degraded: boolean
  /** ... and therefore nothing is acknowledged. */
  refuses: boolean
  peers: readonly PeerStatus[]
}
