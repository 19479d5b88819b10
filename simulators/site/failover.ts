import type { Millis } from '../../sync/contract/index.ts'

/**
 * Whether the gateways of a site are told of each other. Without it each one stands alone: devices move between them, but a reading that
 * one of them had on disk and did not acknowledge is stored by both, and alarms do not follow their devices.
 */
const FAILOVER: boolean = true

/** How long a gateway may be silent before its neighbour forwards what it has of it. */
export const TAKEOVER_AFTER: Millis = 2_000

/** A neighbour, as seen from one gateway. */
export interface Peer {
  gateway: string
  /** Where its MQTT listener is found. */
  url: string
}

/** The section of one gateway's configuration about its neighbours; nothing for whoever has none, or while it is off. */
export function failoverSection(
  peers: readonly Peer[],
  secret: string,
  on: boolean = FAILOVER,
): Record<string, Record<string, unknown>> {
  if (!on || peers.length === 0) return {}
  return {
    failover: {
      peers,
      secret,
      durability: 'replicated',
      heartbeat: '200ms',
      awayAfter: '1s',
      takeoverAfter: `${TAKEOVER_AFTER}ms`,
    },
  }
}
