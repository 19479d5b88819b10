import { readFile, symlink } from 'node:fs/promises'
import { join, sep } from 'node:path'
import type { Plugin } from 'esbuild'
import { bundle } from '../../deploy/bootstrap/bundle.mjs'
import { ROOT } from '../../deploy/bootstrap/process.mjs'

/** What another release does otherwise, in a compiled file. */
interface Edit {
  /** Below dist/. */
  file: string
  replace: RegExp
  by: string
}

/** A release whose gateways cannot talk to those of this one. */
export const OF_ANOTHER_VERSION: readonly Edit[] = [
  { file: 'gateway/failover/protocol.js', replace: /(?<=PROTOCOL_VERSION = )\d+/, by: '1 + $&' },
]

/** What a later release may say besides, wherever it says something: this one has to leave it out. */
const BESIDES = '{ later: { since: 1, names: ["a", "b"] } }'

/** A later release of the same version, which says and stores more. */
export const THAT_SAYS_MORE: readonly Edit[] = [
  {
    file: 'gateway/failover/protocol.js',
    replace: /(?<=function frame\(text, parts\) \{)/,
    by: `text = JSON.stringify({ ...JSON.parse(text), ...${BESIDES} });`,
  },
  {
    file: 'gateway/failover/protocol.js',
    replace: /\{ lane, bytes: value\.length \}/,
    by: `{ lane, bytes: value.length, ...${BESIDES} }`,
  },
  {
    file: 'gateway/outbox/note.js',
    replace: /(?<=JSON\.stringify\()fact/,
    by: `typeof fact === 'object' && fact !== null && !Array.isArray(fact) ? { ...fact, ...${BESIDES} } : fact`,
  },
  {
    file: 'gateway/state/slices.js',
    replace: /JSON\.stringify\(part\)/,
    by: `JSON.stringify({ ...JSON.parse(JSON.stringify(part)), ...${BESIDES} })`,
  },
  { file: 'sync/contract/line.js', replace: /(?<=return `\$\{line\})\}`/, by: ',"later":[1]}`' },
  { file: 'gateway/core.js', replace: /JSON\.stringify\(event\)/, by: `JSON.stringify({ ...event, ...${BESIDES} })` },
]

/**
 * Builds the program as a release would be built, from what the compiler made of these sources, but for the edits.
 *
 * @param dir an empty folder
 * @returns path of its command line
 */
export async function buildRelease(dir: string, edits: readonly Edit[]): Promise<string> {
  // What is not bundled is looked for above the program.
  await symlink(join(ROOT, 'node_modules'), join(dir, 'node_modules'), 'junction')
  const done = new Set<Edit>()
  const edit: Plugin = {
    name: 'other-release',
    setup: ({ onLoad }) =>
      onLoad({ filter: /\.js$/ }, async ({ path }) => {
        const due = edits.filter(({ file }) => path.endsWith(join(sep, 'dist', file)))
        if (due.length === 0) return null
        let contents = await readFile(path, 'utf8')
        for (const one of due) {
          const edited = contents.replace(one.replace, one.by)
          if (edited !== contents) done.add(one)
          contents = edited
        }
        return { contents, loader: 'js' }
      }),
  }
  await bundle(join(dir, 'bin'), [edit])
  // An edit that finds nothing would make a test that proves nothing.
  const missed = edits.filter((one) => !done.has(one))
  if (missed.length > 0) throw new Error(`not found in dist/: ${missed.map(({ replace }) => replace).join(', ')}`)
  return join(dir, 'bin', 'tidegate.js')
}
