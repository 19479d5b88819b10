import type { Reading } from '../../sync/contract/index.ts'
import type { KnownAlarm, Origin } from '../rules/index.ts'

/**
 * What a gateway knows of a series, for one that begins with nothing: its lanes go back as far as it keeps them, and what others told of an
 * alarm is in none of them.
 */
export interface KnownSeries {
  /** Its newest reading. */
  last: Reading
  /** Whom its device spoke to last: an origin, or the gateway that says this (`OWN`). */
  home: Origin
  alarms: readonly KnownAlarm[]
}
