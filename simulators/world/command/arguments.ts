import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { describeError, UsageError } from '../../../sync/contract/index.ts'
import type { Wish } from './schedule.ts'

export const USAGE = `npm run simulate:faults -- [--seeds N] [--from N | --seed N] [options]

Lives whole sites in simulated time, one for each seed: gateways that lose power and disk, links that are cut and lie, devices
that move. Afterwards what devices were told is compared with what the centre has. Everything follows from the seed.

  --seeds N          how many (1000)
  --from N           the first (1)
  --seed N           only this one
  --gateways 2|3     gateways of the site (three with every fifth seed, else two)
  --devices N        devices of the site (two to five)
  --steps N          faults, one after the other (30)
  --durability HOW   local, replicated or both, which is the one or the other (both)
  --forgetful        with faults that lose what was acknowledged, and those with findings that are still open
  --jobs N           processes at a time (one for each processor)
  --max-failures N   stop after so many seeds with findings (10)
  --verbose          print what happens, one seed after the other
  --json             one JSON object for each seed with findings, and one at the end
  --help             this text

Exit code: 0 nothing was found, 1 something was, 2 wrong arguments, 130 interrupted.
`

export interface Arguments extends Wish {
  help: boolean
  from: number
  seeds: number
  jobs: number
  maxFailures: number
  verbose: boolean
  json: boolean
}

/** @throws UsageError */
export function readArguments(args: readonly string[]): Arguments {
  const values = parse(args)
  const { seed, durability = 'both' } = values
  if (durability !== 'local' && durability !== 'replicated' && durability !== 'both')
    throw wrong(`--durability must be local, replicated or both, got '${durability}'`)
  return {
    help: values.help === true,
    from: number('seed', seed, 0) ?? number('from', values.from, 0) ?? 1,
    seeds: seed === undefined ? (number('seeds', values.seeds, 1) ?? 1000) : 1,
    jobs: number('jobs', values.jobs, 1) ?? availableParallelism(),
    maxFailures: number('max-failures', values['max-failures'], 1) ?? 10,
    verbose: values.verbose === true,
    json: values.json === true,
    gateways: number('gateways', values.gateways, 2, 3),
    devices: number('devices', values.devices, 1, 100),
    steps: number('steps', values.steps, 0) ?? 30,
    durability,
    forgetful: values.forgetful === true,
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        seeds: { type: 'string' },
        from: { type: 'string' },
        seed: { type: 'string' },
        gateways: { type: 'string' },
        devices: { type: 'string' },
        steps: { type: 'string' },
        durability: { type: 'string' },
        forgetful: { type: 'boolean' },
        jobs: { type: 'string' },
        'max-failures': { type: 'string' },
        verbose: { type: 'boolean' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values
  } catch (error) {
    throw wrong(describeError(error), error)
  }
}

function number(name: string, text: string | undefined, min: number, max = Number.MAX_SAFE_INTEGER): number | null {
  if (text === undefined) return null
  const value = Number(text)
  if (text.trim() !== '' && Number.isSafeInteger(value) && value >= min && value <= max) return value
  const range = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `${min} to ${max}`
  throw wrong(`--${name} must be a whole number, ${range}, got '${text}'`)
}

const wrong = (message: string, cause?: unknown): UsageError =>
  new UsageError('SIMULATION_ARGUMENTS', `${message}\n\n${USAGE}`, { cause })
