import type { Millis } from '../../sync/contract/index.ts'

/**
 * An alarm's life after ISA-18.2 (figure "alarm state transition diagram"); the letters are the standard's.
 *
 *     A normal --raise--> B unacknowledged --acknowledge--> C acknowledged --clear--> A
 *                            |                                  |
 *                          clear                         clear, and it latches
 *                            v                                  v
 *                         D returned --acknowledge--> A     E latched --reset--> A
 *                                (one that latches: E)
 *
 *     from anywhere: shelve --> G shelved, suppress --> H suppressed, take out of service --> I out of service; and back
 *     to what the alarm has become meanwhile
 *
 * In G, H and I the condition is followed, but nobody is told.
 */
export interface AlarmLife {
  /** The condition as it counts; null = within limits. */
  condition: string | null
  acknowledged: boolean
  latched: boolean
  /** Until when; null when not shelved. */
  shelvedUntil: Millis | null
  suppressed: boolean
  outOfService: boolean
}

export type AlarmState =
  | 'normal'
  | 'unacknowledged'
  | 'acknowledged'
  | 'returned'
  | 'latched'
  | 'shelved'
  | 'suppressed'
  | 'outOfService'

/** What happens to an alarm. The first three come from readings and time, the others from people and programs. */
export type Happening =
  | { kind: 'raise'; condition: string }
  | { kind: 'change'; condition: string; worse: boolean }
  | { kind: 'clear'; latch: boolean }
  /** Its rule is gone, or does not hold for its series any more. */
  | { kind: 'remove' }
  | Action

/** What people and programs do to alarms. */
export type Action =
  | { kind: 'acknowledge' }
  | { kind: 'reset' }
  | { kind: 'shelve'; until: Millis }
  | { kind: 'unshelve' }
  | { kind: 'suppress' }
  | { kind: 'unsuppress' }
  | { kind: 'removeFromService' }
  | { kind: 'returnToService' }

export const freshLife = (): AlarmLife => ({
  condition: null,
  acknowledged: true,
  latched: false,
  shelvedUntil: null,
  suppressed: false,
  outOfService: false,
})

export function stateOf(life: AlarmLife): AlarmState {
  if (life.outOfService) return 'outOfService'
  if (life.suppressed) return 'suppressed'
  if (life.shelvedUntil !== null) return 'shelved'
  if (life.condition !== null) return life.acknowledged ? 'acknowledged' : 'unacknowledged'
  if (!life.acknowledged) return 'returned'
  return life.latched ? 'latched' : 'normal'
}

/** Whether somebody is to be told of what the readings do. */
export const isAnnounced = (life: AlarmLife): boolean =>
  !life.outOfService && !life.suppressed && life.shelvedUntil === null

/** The life after that; null when it cannot happen to an alarm in this state, or would change nothing. */
export function live(life: AlarmLife, happening: Happening): AlarmLife | null {
  switch (happening.kind) {
    case 'raise':
      return { ...life, condition: happening.condition, acknowledged: false, latched: false }
    case 'change':
      return { ...life, condition: happening.condition, acknowledged: life.acknowledged && !happening.worse }
    case 'clear':
      return { ...life, condition: null, latched: happening.latch }
    case 'remove':
      return freshLife()
    case 'acknowledge':
      return life.acknowledged ? null : { ...life, acknowledged: true }
    case 'reset':
      // Whoever resets has seen it.
      return life.latched ? { ...life, latched: false, acknowledged: true } : null
    case 'shelve':
      return life.shelvedUntil === happening.until ? null : { ...life, shelvedUntil: happening.until }
    case 'unshelve':
      return life.shelvedUntil === null ? null : { ...life, shelvedUntil: null }
    case 'suppress':
      return life.suppressed ? null : { ...life, suppressed: true }
    case 'unsuppress':
      return life.suppressed ? { ...life, suppressed: false } : null
    case 'removeFromService':
      return life.outOfService ? null : { ...life, outOfService: true }
    case 'returnToService':
      return life.outOfService ? { ...life, outOfService: false } : null
  }
}
