import { Alarm } from '../../../../gateway/rules/alarm.ts'
import { AlarmGroup, type Told } from '../../../../gateway/rules/alarm-group.ts'
import type { RuleSet } from '../../../../gateway/rules/rule-set.ts'
import type { Millis, Reading } from '../../../../sync/contract/index.ts'
import type { Happens } from './arbitrary.ts'
import type { Said } from './reference.ts'

/** One alarm of a rule set as the gateway has it, with the clock passing as the engine lets it pass. */
export class OneAlarm {
  readonly #rules: RuleSet
  #group: AlarmGroup | null = null

  constructor(rules: RuleSet) {
    this.#rules = rules
  }

  follow(happens: Happens): Said[] {
    if ('tick' in happens) return this.#pass(happens.tick)
    if ('act' in happens) {
      const said = this.#pass(happens.now)
      const [alarm] = this.#group?.alarms ?? []
      const told = alarm && this.#group?.act(alarm, happens.act, happens.now, { by: null, comment: null })
      return told ? [...said, ...saidOf([told])] : said
    }
    const { reading } = happens
    const said = this.#pass(reading.received)
    this.#group ??= this.#begin(reading)
    return [...said, ...saidOf(this.#group.apply(reading))]
  }

  #pass(now: Millis): Said[] {
    const group = this.#group
    const said: Said[] = []
    for (let due = group?.due ?? null; group && due !== null && due <= now; due = group.due)
      said.push(...saidOf(group.pass(due)))
    return said
  }

  #begin(reading: Reading): AlarmGroup {
    const { device, metric } = reading
    const alarms = this.#rules
      .select({ device, metric, labels: {} })
      .map(({ rule, revision }) => new Alarm(rule.id, rule, revision, null, { from: 0 }))
    const state = { newest: {}, at: null, heard: reading.received, last: reading, waiting: [] }
    return new AlarmGroup(alarms, this.#rules.lateness, state)
  }
}

/** What people are told. */
const saidOf = (told: readonly Told[]): Said[] =>
  told
    .filter(({ transition }) => transition.announced)
    .map(({ transition: { kind, number, at, from, to, was, is, reading } }) => ({
      kind,
      number,
      at,
      from,
      to,
      was,
      is,
      reading,
    }))
