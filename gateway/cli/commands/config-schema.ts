import { configJsonSchema } from '../../config/index.ts'
import { generatedTextCommand } from '../generated.ts'

export const configSchema = generatedTextCommand({
  name: 'config schema',
  summary: 'Print the JSON Schema of the configuration file, for editors.',
  examples: [
    { command: 'tidegate config schema --out tidegate.schema.json', effect: 'lets an editor complete and check keys' },
  ],
  make: () => `${JSON.stringify(configJsonSchema(), null, 2)}\n`,
})
