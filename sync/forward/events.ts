import type { Lane, Millis, Offset } from '../contract/index.ts'
import type { Gap } from './source.ts'

/** What a forwarder tells the world; every call is for people and metrics, none needs an answer. */
export interface ForwardEvents {
  linkUp(): void
  linkDown(reason: string): void
  /** The centre stored records of a lane. */
  stored(lane: Lane, records: number, bytes: number, roundTrip: Millis): void
  /** The centre had less than it acknowledged, and is sent the rest again. */
  rewound(lane: Lane, from: Offset, why: string): void
  /** Declared holes reached the centre. */
  declared(lane: Lane, gap: Gap): void
  /** Another gateway writes to this one's subject under the same name. */
  rival(lane: Lane, epoch: string): void
  /** This gateway may not forward this lane any more; a person or a takeover decides. */
  stoodDown(lane: Lane, reason: string): void
  /** An attempt failed and is repeated. */
  troubled(lane: Lane | 'latest', error: unknown): void
}
