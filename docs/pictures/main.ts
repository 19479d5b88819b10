import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { FAILOVER_SEQUENCES } from './failover.ts'
import { rulePictures } from './pictures.ts'
import { sequencePicture } from './sequence.ts'

/** Writes the pictures of docs/rules.md and docs/failover.md again. Run in the project's folder, by `npm run docs`. */
const pictures = rulePictures(await readFile('docs/rules.md', 'utf8'))
for (const [name, svg] of pictures) await writeFile(`docs/pictures/rules/${name}`, svg)

await mkdir('docs/pictures/failover', { recursive: true })
for (const [name, sequence] of Object.entries(FAILOVER_SEQUENCES))
  await writeFile(`docs/pictures/failover/${name}.svg`, sequencePicture(sequence))
