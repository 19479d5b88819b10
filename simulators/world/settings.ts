import { parseConfig } from '../../gateway/config/index.ts'
import type { CoreSettings } from '../../gateway/core.ts'
import { streamPlans } from '../../sync/provision/index.ts'

export const SITE = 'site'
/** Everything about ingest as it is unless configured. */
const INGEST = parseConfig(`site: ${SITE}\ngateway: gw`, {}).ingest

/** A gateway of the simulated site: small packs and short times, so that much happens within little of both. */
export function settingsOf(name: string, names: readonly string[], durability: 'local' | 'replicated'): CoreSettings {
  return {
    site: SITE,
    gateway: name,
    dataDir: '/data',
    ingest: INGEST,
    outbox: {
      maxBytes: 1e9,
      maxAge: Number.POSITIVE_INFINITY,
      whenFull: 'reject',
      retainAcked: { bytes: 1e8, age: 3_600_000 },
      block: { maxRecords: 64, maxBytes: 256 * 1024, spacing: 4 },
      minFree: 0,
      reserve: 0,
      compression: false,
    },
    forwarder: {
      site: SITE,
      gateway: name,
      pack: { minBytes: 300, maxBytes: 3000, target: 200, compress: 'none', linger: 5, ackTimeout: 1000 },
      pace: { bytesPerSecond: Number.POSITIVE_INFINITY, packsPerSecond: Number.POSITIVE_INFINITY, jitter: 20 },
      breaker: { failures: 5, cooldown: 500 },
      retry: { min: 20, max: 300 },
      stallAfter: 30_000,
      provision: streamPlans({ replicas: 1, storage: 'memory', maxBytes: -1, maxAge: 0 }),
    },
    failover: {
      site: SITE,
      gateway: name,
      peers: names.filter((other) => other !== name),
      durability,
      whenAlone: 'degrade',
      heartbeat: 200,
      awayAfter: 1000,
      takeoverAfter: TAKEOVER_AFTER,
      ackTimeout: 1000,
    },
  }
}

/** How long a gateway is silent until it is taken over. */
export const TAKEOVER_AFTER = 3000
