import type { Clock } from '../sync/runtime/index.ts'
import type { Unreleased } from './ingest/index.ts'
import type { StateKeeper } from './outbox/index.ts'
import type { StateMachine } from './state/index.ts'

/** Everything in memory that is rebuilt from the outbox whenever that opens. */
export function keeperOf(machine: StateMachine, unreleased: Unreleased, clock: Clock): StateKeeper {
  return {
    takeSlices: (records) => machine.takeSlices(records),
    replayFrom: (head) => machine.replayFrom(head),
    hearFrom: (origin, head) => machine.hearFrom(origin, head),
    rebuild: async (stored) => {
      await machine.rebuild(stored)
      await unreleased.rebuild(stored.attached())
      machine.resume(clock.now())
    },
  }
}
