import { configReferenceMarkdown } from '../../config/index.ts'
import { generatedTextCommand } from '../generated.ts'

export const configReference = generatedTextCommand({
  name: 'config reference',
  summary: 'Print the reference of all configuration keys, as Markdown.',
  examples: [{ command: 'tidegate config reference | less', effect: 'shows what every key means' }],
  make: configReferenceMarkdown,
})
