import type { Bench, Measurement } from '../bench.ts'
import { brokerBeside, withCentre } from './contenders.ts'
import { effort, MANY } from './loads.ts'
import { takeTurns } from './rounds.ts'
import { cpu, p50, p99, rate, row } from './rows.ts'

/** The whole job: what is acknowledged is also forwarded meanwhile, which no peer does. */
export const ingestQos1: Bench = {
  name: 'ingest-qos1',
  summary: 'MQTT QoS 1, forwarding meanwhile: 100 connections x 20 in flight, beside mosquitto',
  async *run(options): AsyncIterable<Measurement> {
    const broker = await brokerBeside(options)
    const contenders = [withCentre, ...(broker === null ? [] : [broker])]
    const rounds = await takeTurns(options, contenders, MANY, effort(options.quick, { quick: 2, full: 5 }))
    for (const quantity of [rate('reading'), cpu('reading'), p50, p99])
      yield* row('ingest-qos1', quantity, rounds, withCentre, broker)
  },
}
