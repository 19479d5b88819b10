import type { Config } from '../../config/index.ts'
import { defineCommand, EXIT } from '../command.ts'
import { configOption, readConfig } from '../config-file.ts'
import { flag } from '../option.ts'

/** What happened, or would happen, to one stream. */
export interface StreamChange {
  stream: string
  action: 'created' | 'updated' | 'unchanged'
  /** The settings that differed, `replicas: 1 -> 3`; empty for a new stream. */
  changes: readonly string[]
}

/**
 * Makes the central streams what the configuration says.
 *
 * @param dryRun only say what would be done
 */
export type ApplyStreams = (
  central: Config['central'],
  options: { dryRun: boolean; signal: AbortSignal },
) => Promise<readonly StreamChange[]>

/** @param applyStreams does the work; passed in so that the command line knows nothing of NATS */
export const centralApply = (applyStreams: ApplyStreams) =>
  defineCommand({
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
      const config = await readConfig(options.config, env)
      const changes = await applyStreams(config.central, { dryRun: options.dryRun, signal })
      if (options.json) stdout.write(`${JSON.stringify(changes)}\n`)
      else for (const change of changes) stdout.write(`${line(change, options.dryRun)}\n`)
      return EXIT.ok
    },
  })

function line({ stream, action, changes }: StreamChange, dryRun: boolean): string {
  const verb = dryRun && action !== 'unchanged' ? `would be ${action}` : action
  return `${stream} ${verb}${changes.length === 0 ? '' : ` (${changes.join(', ')})`}`
}
