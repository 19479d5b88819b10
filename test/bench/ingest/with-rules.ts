import type { Bench, Measurement } from '../bench.ts'
import { THREE_RULES } from '../rule-sets.ts'
import { direct, withRules } from './contenders.ts'
import { effort, MANY } from './loads.ts'
import { takeTurns } from './rounds.ts'
import { cpu, rate, row } from './rows.ts'

/** What rules cost where few series report often; `rules-ingest` is where many report seldom. */
export const ingestRules: Bench = {
  name: 'ingest-rules',
  summary: 'MQTT QoS 1, link cut: 100 connections x 20 in flight, three rules for each series, beside none',
  async *run(options): AsyncIterable<Measurement> {
    const ruled = withRules(THREE_RULES)
    const without = { ...direct, label: '', name: 'the same gateway without rules' }
    const rounds = await takeTurns(options, [ruled, without], MANY, effort(options.quick, { quick: 2, full: 5 }))
    for (const quantity of [rate('reading'), cpu('reading')])
      yield* row('ingest-rules', quantity, rounds, ruled, without)
  },
}
