import { ruleSetJsonSchema } from '../../rules/index.ts'
import { generatedTextCommand } from '../generated.ts'

export const rulesSchema = generatedTextCommand({
  name: 'rules schema',
  summary: 'Print the JSON Schema of a rule set, for editors.',
  examples: [
    { command: 'tidegate rules schema --out rules.schema.json', effect: 'lets an editor complete and check rules' },
  ],
  make: () => `${JSON.stringify(ruleSetJsonSchema(), null, 2)}\n`,
})
