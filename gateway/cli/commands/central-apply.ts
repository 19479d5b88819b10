import { applyStreams, type StreamChange, streamPlans } from '../../../sync/provision/index.ts'
import { natsSettings, streamSettings } from '../../settings.ts'
import { defineCommand, EXIT } from '../command.ts'
import { configOption, readConfig } from '../config-file.ts'
import { flag } from '../option.ts'

export const centralApply = defineCommand({
  name: 'central apply',
  summary: 'Create the central streams, or bring them in line with the configuration.',
  usage: '[--config FILE] [--dry-run] [--json]',
  description:
    'For administrators: with `central.provision: false` gateways need no right to manage streams. Safe to repeat; stored messages are never touched.',
  options: {
    config: configOption,
    dryRun: flag('Only say what would be done.'),
    json: flag('Print the changes as JSON.'),
  },
  examples: [
    { command: 'tidegate central apply --config plant.yaml --dry-run', effect: 'shows what would change' },
    {
      command: 'TIDEGATE_CENTRAL_REPLICAS=3 tidegate central apply',
      effect: 'keeps three copies of every stream from now on',
    },
  ],
  async run({ stdout, env, signal }, { options }) {
    const { central } = await readConfig(options.config, env)
    const plans = streamPlans(streamSettings(central))
    const { dryRun } = options
    const changes = await applyStreams(await natsSettings(central, 'tidegate central apply'), plans, { dryRun, signal })
    if (options.json) stdout.write(`${JSON.stringify(changes)}\n`)
    else for (const change of changes) stdout.write(`${line(change, options.dryRun)}\n`)
    return EXIT.ok
  },
})

function line({ stream, action, changes }: StreamChange, dryRun: boolean): string {
  const verb = dryRun && action !== 'unchanged' ? `would be ${action}` : action
  return `${stream} ${verb}${changes.length === 0 ? '' : ` (${changes.join(', ')})`}`
}
