import { describeError } from '../../../sync/contract/index.ts'
import type { BenchOptions } from '../bench.ts'
import type { Contender } from './contenders.ts'
import type { Effort, Load } from './loads.ts'
import { medianTable } from './median-table.ts'
import { measure, type Run } from './run.ts'

/** What came of each round: a contender's run, by its `id`. */
export type Round = ReadonlyMap<string, Run>

/**
 * Lets contenders take turns, round by round: what else the machine does hits all of them. The first is ours, and has to work; another
 * that cannot cope with a load is left out from then on, and it is said.
 */
export async function takeTurns(
  options: BenchOptions,
  contenders: readonly Contender[],
  load: Load,
  effort: Effort,
): Promise<readonly Round[]> {
  const { say, signal } = options
  const left = new Set(contenders.slice(1))
  const rounds: Round[] = []
  for (let number = 1; number <= effort.rounds; number++) {
    const round = new Map<string, Run>()
    for (const contender of contenders) {
      const ours = contender === contenders[0]
      if ((!ours && !left.has(contender)) || number > (contender.rounds ?? effort.rounds)) continue
      try {
        const run = await measure(options, contender, load, effort)
        say(`round ${number}/${effort.rounds} ${contender.name}: ${describe(run)}`)
        round.set(contender.id, run)
      } catch (error) {
        if (ours || signal.aborted) throw error
        say(`${contender.name} cannot be measured: ${describeError(error)}`)
        left.delete(contender)
      }
    }
    rounds.push(round)
  }
  if (rounds.length > 1) for (const line of medianTable(contenders, rounds)) say(line)
  return rounds
}

function describe({ rate, readingsPerPublish, cpu, resident, p50, p99, p999, lag, generator }: Run): string {
  const many = (value: number): string => Math.round(value).toLocaleString('en-US')
  const readings = readingsPerPublish === 1 ? '' : ` (${many(rate * readingsPerPublish)} readings/s)`
  const loop = lag === null ? '' : `, event loop late by ${lag.p99.toFixed(1)} ms at p99, ${lag.max.toFixed(1)} at most`
  return (
    `${many(rate)} acks/s${readings}, ${cpu?.toFixed(1) ?? '?'} us CPU a message, ${resident?.toFixed(0) ?? '?'} MB, ` +
    `p50 ${ms(p50)}, p99 ${ms(p99)}, p99.9 ${ms(p999)} ms${loop}; generator ${generator.toFixed(1)} us`
  )
}

const ms = (value: number): string => value.toFixed(value < 10 ? 2 : 1)
