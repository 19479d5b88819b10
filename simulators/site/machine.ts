import { UsageError } from '../../sync/contract/index.ts'

/**
 * A machine of its own for a gateway: a network namespace, say. It reaches the others and the centre directly, so there are no proxies to
 * cut: its cables are.
 */
export interface Machine {
  /** Goes before the command line of what runs there: `ip netns exec NAME`. Has to become that process, since signals go to what was started. */
  under: readonly string[]
  /** Where devices find it. */
  address: string
  /** Where other gateways find it. */
  peerAddress: string
}

/** What whoever wants to cut a network is told that is not ours. */
export const realNetwork = (what: string): UsageError =>
  new UsageError('NETWORK_REAL', `expected a proxy to cut, but ${what} has a real network: pull its cable`)
