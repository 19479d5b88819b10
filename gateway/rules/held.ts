import type { Millis, Offset } from '../../sync/contract/index.ts'
import type { AlarmGroup } from './alarm-group.ts'
import type { Heard, Origin } from './heard.ts'
import type { KeptGroup, StoredGroup } from './kept.ts'

/** A group, and how the engine stands with it. */
export class Held implements KeptGroup {
  readonly name: string
  readonly group: AlarmGroup
  /** Says which rules it follows, to the letter. */
  readonly key: string
  appliedTo: Offset
  readonly heardTo: Heard
  /** Another gateway decides it, and tells of it. */
  follows = false
  /** When it is looked at next. */
  queued: Millis | null = null
  /** It was stored since it was bound, or the gateway was away: a replay of what comes now can begin there. */
  stored = false
  dirty: Origin | null = null

  constructor(name: string, key: string, group: AlarmGroup, appliedTo: Offset, heardTo: Heard) {
    this.name = name
    this.group = group
    this.key = key
    this.appliedTo = appliedTo
    this.heardTo = heardTo
  }

  toJSON(): StoredGroup {
    return { ...this.group.toJSON(), appliedTo: this.appliedTo, heardTo: this.heardTo.toJSON() }
  }
}
