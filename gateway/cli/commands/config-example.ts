import { configExampleYaml } from '../../config/index.ts'
import { generatedTextCommand } from '../generated.ts'

export const configExample = generatedTextCommand({
  name: 'config example',
  summary: 'Print a configuration file with every key, its meaning and its default.',
  examples: [{ command: 'tidegate config example --out tidegate.yaml', effect: 'writes a file to start from' }],
  make: configExampleYaml,
})
