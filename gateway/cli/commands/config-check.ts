import { defineCommand, EXIT } from '../command.ts'
import { configFile, configOption, readConfig } from '../config-file.ts'
import { flag } from '../option.ts'

export const configCheck = defineCommand({
  name: 'config check',
  summary: 'Check a configuration file and say everything that is wrong with it.',
  usage: '[--config FILE] [--json]',
  description:
    'Reads the file and the TIDEGATE_* variables exactly as `tidegate run` would. Nothing is connected to, nothing is written.',
  options: {
    config: configOption,
    json: flag('Print the effective configuration as JSON: bytes, milliseconds, absolute paths, secrets hidden.'),
  },
  examples: [
    {
      command: 'tidegate config check --config plant.yaml',
      effect: 'says `plant.yaml is valid`, or every problem with its line',
    },
    { command: 'tidegate config check --json', effect: 'shows what is in effect once defaults and variables are in' },
  ],
  exitCodes: { 0: 'the configuration is valid', 3: 'it is not, or cannot be read' },
  async run({ stdout, env }, { options }) {
    const config = await readConfig(options.config, env)
    stdout.write(
      options.json ? `${JSON.stringify(config, hideSecrets, 2)}\n` : `${configFile(options.config, env)} is valid\n`,
    )
    return EXIT.ok
  },
})

const hideSecrets = (key: string, value: unknown): unknown =>
  (key === 'password' || key === 'token') && value !== undefined ? '(hidden)' : value
