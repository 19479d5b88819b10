import {
  type Lane,
  type Millis,
  type Offset,
  OperatorError,
  type Reading,
  type ReadingValue,
  type StopAcceptingError,
  type ThresholdEvent,
} from '../../sync/contract/index.ts'
import type { Clock } from '../../sync/runtime/index.ts'
import {
  type Action,
  type ActionNote,
  type AlarmState,
  alarmMessage,
  checkRules,
  compilePattern,
  type RuleSetInput,
  RulesError,
  ruleSetRevision,
  ruleSetSchema,
  type Selected,
} from '../rules/index.ts'
import type { StateMachine } from '../state/index.ts'

/** The durable side. */
export interface Journal {
  readonly accepting: boolean
  refusal(): StopAcceptingError
  append(lane: Lane, line: string): Offset
  whenDurable(callback: (error: Error | null) => void): void
}

export interface DeskParts {
  machine: StateMachine
  journal: Journal
  clock: Clock
  /** Called for every event that is decided here. */
  count(counter: 'events'): void
  /** A set of rules is another now. */
  rulesChanged?(): void
}

/** One alarm as it is now. */
export interface AlarmInfo {
  device: string
  /** Its name: the rule's id, or `id@metric` where one rule watches several. */
  rule: string
  metric: string
  state: AlarmState
  /** What of the rule holds; null when the values are within limits. */
  condition: string | null
  severity: string
  message: string
  /** Number of its newest transition; 0 when there was none yet. */
  transition: number
  /** The last value that was looked at, and when it was measured. */
  value: ReadingValue
  time: Millis
  /** When it comes back by itself; null unless it is shelved. */
  shelvedUntil: Millis | null
}

export interface AlarmQuery {
  /** Patterns with `*`. */
  device?: string | undefined
  rule?: string | undefined
  /** A state, or `all`; everything but `normal` unless said. */
  state?: string | undefined
}

export interface PutRules {
  set: string
  /** As it was written. */
  given: unknown
  /** Only if the set is still like that; null = whatever it is. */
  ifRevision: string | null
}

/** The set that follows the configured file: only that may change it. */
export const FILE_SET = 'file'

const TICK: Millis = 100
const SET_NAME = /^[A-Za-z0-9_-]{1,50}$/

/**
 * Where time, people and programs come to the alarms. What is decided here becomes durable as what readings decide does: events
 * and state in one commit; answers are given when that is done.
 */
export class AlarmDesk {
  readonly #parts: DeskParts
  #stopTick: () => void = () => {}

  constructor(parts: DeskParts) {
    this.#parts = parts
  }

  /** Lets time pass for the alarms. */
  start(): void {
    const { machine, journal, clock } = this.#parts
    const tick = (): void => {
      this.#stopTick = clock.after(TICK, tick)
      const { nextDue } = machine
      // What could not be made durable waits: it is decided as of when it was due.
      if (nextDue !== null && nextDue <= clock.now() && journal.accepting) this.#tell(machine.advance(clock.now()))
    }
    tick()
  }

  stop(): void {
    this.#stopTick()
  }

  /** Alarms as they are now, by device and name. */
  list({ device = '*', rule = '*', state }: AlarmQuery = {}): AlarmInfo[] {
    const [devices, rules] = [compilePattern(device), compilePattern(rule)]
    const found: AlarmInfo[] = []
    for (const { alarm, last } of this.#parts.machine.alarms()) {
      const wanted = state === 'all' || (state === undefined ? alarm.state !== 'normal' : alarm.state === state)
      if (!wanted || !devices.matches(last.device) || !rules.matches(alarm.name)) continue
      const { severity, message } = alarmMessage(alarm, last)
      found.push({
        device: last.device,
        rule: alarm.name,
        metric: last.metric,
        state: alarm.state,
        condition: alarm.condition,
        severity,
        message,
        transition: alarm.transition,
        value: last.value,
        time: last.time ?? last.received,
        shelvedUntil: alarm.shelvedUntil,
      })
    }
    return found.sort((one, other) => compare(one.device, other.device) || compare(one.rule, other.rule))
  }

  /**
   * Does something to an alarm.
   *
   * @returns the event that tells of it, once that is durable
   * @throws OperatorError `ALARM_UNKNOWN`, `ALARM_ACTION_REFUSED`; StopAcceptingError when nothing can be stored
   */
  async act(device: string, alarm: string, action: Action, note: ActionNote): Promise<ThresholdEvent> {
    const { machine, journal, clock } = this.#parts
    if (!journal.accepting) throw journal.refusal()
    const { done, events } = machine.act(device, alarm, action, clock.now(), note)
    await this.#tellDurably(events)
    if (done === undefined)
      throw new OperatorError(
        'ALARM_UNKNOWN',
        `device '${device}' has no alarm '${alarm}'; \`tidegate alarms list --all\` shows which there are`,
      )
    if (done === null) {
      const [now] = this.list({ device, rule: alarm, state: 'all' })
      throw new OperatorError(
        'ALARM_ACTION_REFUSED',
        `cannot ${action.kind} '${alarm}' of '${device}': it is ${now?.state}`,
      )
    }
    return done
  }

  /** Names of the sets that hold, with what they say. */
  sets(): { set: string; revision: string; rules: number; since: Millis }[] {
    return [...this.#parts.machine.ruleSets].map(([set, { given, revision, since }]) => ({
      set,
      revision,
      rules: rulesIn(given).length,
      since,
    }))
  }

  /** One set as it was given; one that was never given is empty. */
  rules(set: string): { given: unknown; revision: string } {
    return (
      this.#parts.machine.ruleSets.get(set) ?? {
        given: { rules: [] },
        revision: ruleSetRevision(checkRules({ rules: [] })),
      }
    )
  }

  /**
   * Replaces a set of rules as a whole, or changes nothing.
   *
   * @throws RulesError `RULES_INVALID` with everything that is wrong
   * @throws OperatorError `RULES_CHANGED_MEANWHILE`, `RULES_SET_NAME`; StopAcceptingError when nothing can be stored
   */
  async putRules({ set, given, ifRevision }: PutRules): Promise<{ revision: string; changed: boolean }> {
    const { machine, journal, clock } = this.#parts
    if (!SET_NAME.test(set))
      throw new OperatorError(
        'RULES_SET_NAME',
        `'${set}' cannot name a rule set: letters, digits, _ and - only, at most 50`,
      )
    const input = checkRules(given, set)
    const { revision } = this.rules(set)
    if (ifRevision !== null && ifRevision !== revision)
      throw new OperatorError(
        'RULES_CHANGED_MEANWHILE',
        `rule set '${set}' is not what it was any more (${revision}, not ${ifRevision}); read it again and repeat the change`,
      )
    this.#assertUnique(set, input)
    if (!journal.accepting) throw journal.refusal()
    const events = machine.changeRules(set, given, input, clock.now())
    // Before anything is waited for: the next change may come meanwhile.
    const now = this.rules(set).revision
    if (now !== revision) this.#parts.rulesChanged?.()
    await this.#tellDurably(events)
    return { revision: now, changed: now !== revision }
  }

  /**
   * The rules that hold for a series, and where each of their values comes from.
   *
   * @param labels those that it had when it was heard last, unless given
   */
  explain(device: string, metric: string, labels: Reading['labels'] = this.#labelsOf(device, metric)): Selected[] {
    return this.#parts.machine.rules.select({ device, metric, labels: labels ?? {} })
  }

  #labelsOf(device: string, metric: string): Reading['labels'] {
    const known = [...this.#parts.machine.lastReadings()].find(
      (last) => last.device === device && last.metric === metric,
    )
    return known?.labels
  }

  /** Ids name alarms, so no two sets may have the same. */
  #assertUnique(set: string, { rules }: RuleSetInput): void {
    const taken = new Map<string, string>()
    for (const [name, { given }] of this.#parts.machine.ruleSets)
      if (name !== set) for (const { id } of rulesIn(given)) taken.set(id, name)
    const problems = rules.flatMap(({ id }, i) => {
      const other = taken.get(id)
      return other === undefined
        ? []
        : [
            {
              where: set,
              path: `rules[${i}].id`,
              message: `rule set '${other}' has a rule '${id}' already; ids name alarms`,
            },
          ]
    })
    if (problems.length > 0) throw new RulesError(problems)
  }

  #tell(events: readonly ThresholdEvent[]): void {
    const { journal, count } = this.#parts
    for (const event of events) {
      journal.append('events', JSON.stringify(event))
      count('events')
    }
  }

  #tellDurably(events: readonly ThresholdEvent[]): Promise<void> {
    this.#tell(events)
    return new Promise((resolve, reject) =>
      this.#parts.journal.whenDurable((error) => (error ? reject(error) : resolve())),
    )
  }
}

/** The rules of a set that holds. One that an earlier version took, and this one does not, decides nothing: it has none. */
const rulesIn = (given: unknown): RuleSetInput['rules'] => ruleSetSchema.safeParse(given).data?.rules ?? []

const compare = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0)
