import type { Reading } from '../../sync/contract/index.ts'

/** What a reading says about when it was said. */
export type Said = Pick<Reading, 'metric' | 'received'> & {
  readonly seq?: number | undefined
  readonly session?: string | undefined
  readonly life?: number | undefined
  readonly time?: number | undefined
}

/**
 * Whether a device said one reading after another, as far as can be told: by its own counter, else by the lives of that, else by its own
 * clock. Only where none of them tells is it told by when gateways heard it, whose clocks may differ.
 */
export function isLater(one: Said, other: Said): boolean {
  if (one.metric === other.metric && tellsLife(one) && tellsLife(other)) {
    const isSame = one.session === other.session
    // With a session, one life is one life, whatever it was numbered by whom.
    const sure = isSame && one.session !== undefined && one.seq !== other.seq
    const [life, otherLife] = [one.life ?? 1, other.life ?? 1]
    if (!sure && life !== otherLife) return life > otherLife
    if (isSame && one.seq !== other.seq) return (one.seq ?? 0) > (other.seq ?? 0)
  }
  if (one.time !== undefined && other.time !== undefined && one.time !== other.time) return one.time > other.time
  return one.received > other.received
}

/**
 * Whether the life of the counter that a reading is of says when it was said. A counter without a session begins anew, nobody knows
 * when: then the device's clock is better.
 */
export const tellsLife = ({ seq, session, time }: Said): boolean =>
  seq !== undefined && (session !== undefined || time === undefined)
