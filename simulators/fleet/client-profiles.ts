import type { Millis } from '../../sync/contract/index.ts'

/** How a device's MQTT client notices that its gateway is gone, and how it looks for another one. */
export interface ClientProfile {
  /** Pause before another attempt to connect: between these, so that a whole site does not knock in the same instant. */
  reconnect: readonly [Millis, Millis]
  /** How long one attempt may take: what an address costs behind which nobody answers, not even with a refusal. */
  connectTimeout: Millis
  /** Seconds. mqtt.js gives a silent connection up after one and a half times as long. */
  keepalive: number
}

/**
 * - `tuned`: for sites with more than one gateway. A killed process is noticed at once whatever the settings (its kernel closes the
 *   socket), so the pause decides; a machine without power is noticed by the keep-alive, after 7.5 s;
 * - `firmware`: in no hurry, as devices are that have one gateway and many neighbours;
 * - `mqtt.js`: what that library does unless it is told otherwise: a second to each attempt, without jitter, and a dead machine
 *   noticed after a minute and a half.
 */
export const CLIENT_PROFILES = {
  tuned: { reconnect: [150, 350], connectTimeout: 2_000, keepalive: 5 },
  firmware: { reconnect: [200, 1_500], connectTimeout: 5_000, keepalive: 10 },
  'mqtt.js': { reconnect: [1_000, 1_000], connectTimeout: 30_000, keepalive: 60 },
} as const satisfies Readonly<Record<string, ClientProfile>>

export type ClientProfileName = keyof typeof CLIENT_PROFILES
