import type { StreamSequence } from '../contract/index.ts'
import type { CentralSession } from '../link/index.ts'

/** What others have put on a chain since its writer last knew it. */
export interface Fencing {
  /** Gateways whose fences were found at its end; a fence further down is not named, but counts for `upTo`. */
  fencedBy: readonly string[]
  /** Gateways in whose place others are about to send: their chains have to be read, also of one that is here and answers. */
  inPlaceOf: readonly string[]
  /**
   * Every fence on the chain that was not dealt with before is not newer than this: what its maker knows of us, it knew by then. Our
   * own fences on its chain serve only if they are newer.
   */
  upTo: StreamSequence
}

/** Decides which records of a lane may leave, where other lanes may have copies of them. */
export interface Clearance {
  /**
   * Called before the first message of a session, and whenever others have written to the lane's chain, with the chain's end known and
   * nothing of the lane on its way. What it decides shows in the lane's `head` and holes when it resolves; until then
   * nothing is sent.
   */
  arbitrate(session: CentralSession, fencing: Fencing, signal: AbortSignal): Promise<void>
}
