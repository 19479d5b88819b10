import type { Millis } from '../../sync/contract/index.ts'

/** How far a handover to the peers is; `left`: they have taken over, and no devices are taken here. */
export type HandoverStage = 'none' | 'emptying' | 'copying' | 'leaving' | 'left'

export interface HandoverStatus {
  stage: HandoverStage
  /** Devices that were connected when it began, */
  asked: number
  /** and those that are. */
  devices: number
  peers: readonly { gateway: string; takesOver: boolean; behind: number }[]
  /** Own records that the centre does not have yet. */
  pending: number
}

/** What a handover that has succeeded did. */
export interface HandoverReport {
  /** The machine may be switched off. */
  safe: true
  /** Devices that were asked to leave. */
  asked: number
  /** Who has taken over. */
  peers: readonly string[]
  /** Records of this gateway that the centre does not have, and that those forward. */
  heldByPeers: number
  /** Records of gateways that are gone, which the centre does not have: as long as it does not, this disk must not be wiped. */
  holdsOfOthers: number
  took: Millis
}
