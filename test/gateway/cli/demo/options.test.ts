import { describe, expect, it } from 'vitest'
import { COMMANDS } from '../../../../gateway/cli/commands/index.ts'
import { gatewaysFor } from '../../../../gateway/cli/demo/chaos.ts'
import { runIn } from '../support/context.ts'

describe('options of the demo', () => {
  it.each([
    ['--gateways 0', "OPTION_INVALID: --gateways: expected a whole number from 1 to 3, got '0'"],
    ['--gateways 4', "OPTION_INVALID: --gateways: expected a whole number from 1 to 3, got '4'"],
    ['--gateways two', "OPTION_INVALID: --gateways: expected a whole number from 1 to 3, got 'two'"],
    ['--chaos', 'OPTION_INVALID: --chaos needs a value: --chaos KINDS'],
    ['--chaos fire', "OPTION_INVALID: --chaos: expected some of kill, wipe, got 'fire'"],
    ['--chaos kill,', "OPTION_INVALID: --chaos: expected some of kill, wipe, got 'kill,'"],
    ['--chaos wipe', 'CHAOS_INVALID: --chaos wipe deletes the disks of killed gateways: say --chaos kill,wipe'],
    [
      '--chaos kill --gateways 1',
      'CHAOS_INVALID: --chaos kills one gateway while another one goes on: it needs --gateways 2 at least, got 1',
    ],
    ['--chaos kill --trouble', 'CHAOS_INVALID: --trouble and --chaos both kill gateways: choose one of them'],
    ['--client slow', "OPTION_INVALID: --client: expected one of tuned, firmware, mqtt.js, got 'slow'"],
  ])('refuse `%s` before anything is started', async (line, problem) => {
    const { exitCode, stderr } = await runIn(COMMANDS, ['demo', ...line.split(' ')])
    expect(stderr).toContain(`error ${problem}\n`)
    expect(exitCode).toBe(2)
  })

  it('make a pair of what chaos needs, and one gateway of what nobody says more about', () => {
    const usual = { gateways: undefined, chaos: [], trouble: false }
    expect(gatewaysFor(usual)).toBe(1)
    expect(gatewaysFor({ ...usual, trouble: true, gateways: 2 })).toBe(2)
    expect(gatewaysFor({ ...usual, chaos: ['kill'] })).toBe(2)
    expect(gatewaysFor({ ...usual, chaos: ['kill', 'wipe'], gateways: 3 })).toBe(3)
  })
})
