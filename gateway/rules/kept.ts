import type { Offset } from '../../sync/contract/index.ts'
import type { GroupSnapshot } from './alarm-group.ts'
import type { FloodState } from './flood.ts'
import type { Origin, StoredHeard } from './heard.ts'

/** What is stored of a group of alarms. */
export interface StoredGroup extends GroupSnapshot {
  /** Offset after the last own record that it knows. */
  appliedTo: Offset
  /** And of the lanes of peers. */
  heardTo?: StoredHeard | undefined
}

/** A group of alarms (or the watch over a rule's floods) as a part of the state machine's snapshot. */
export interface KeptGroup {
  /** `["series",device,metric]`, `["rule",device,id]` for a rule over several metrics, or `["flood","",id]`. */
  readonly name: string
  /** Of whoever keeps it. */
  dirty: Origin | null
  toJSON(): StoredGroup | FloodState
}

/** Everything that was stored of an engine, by name. */
export type StoredEngine = ReadonlyMap<string, StoredGroup | FloodState>

export const isFlood = (stored: StoredGroup | FloodState): stored is FloodState => 'flood' in stored

/**
 * Stores the groups that changed. A replay of the readings finds everything out again but what was told (that must not
 * be told twice), what people did, and which rules held when: then it is urgent, and goes with the same commit.
 */
export interface GroupKeeper {
  /**
   * @param offset the record that changed it; null when none did, or it only took the place of the one of its name
   * @param origin whose record that is; this gateway's own unless said
   */
  changed(group: KeptGroup, offset: Offset | null, urgent: boolean, origin?: Origin): void
  gone(name: string): void
}
