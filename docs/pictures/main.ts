import { readFile, writeFile } from 'node:fs/promises'
import { rulePictures } from './pictures.ts'

/** Writes the pictures of docs/rules.md again. Run in the project's folder, by `npm run docs`. */
const pictures = rulePictures(await readFile('docs/rules.md', 'utf8'))
for (const [name, svg] of pictures) await writeFile(`docs/pictures/rules/${name}`, svg)
