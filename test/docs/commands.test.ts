import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { readArguments } from '../../gateway/cli/arguments.ts'
import { COMMANDS } from '../../gateway/cli/commands/index.ts'
import { parseConfig } from '../../gateway/config/index.ts'
import { ENTRY } from '../support/site.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const run = promisify(execFile)

/** What needs no script. */
const NPM_ITSELF = ['ci', 'install', 'prune']

interface Page {
  name: string
  text: string
}

async function pages(): Promise<Page[]> {
  const names = ['README.md', 'deploy/README.md']
  for (const folder of ['docs', 'docs/adr'])
    for (const file of await readdir(join(ROOT, folder))) if (file.endsWith('.md')) names.push(`${folder}/${file}`)
  return Promise.all(names.map(async (name) => ({ name, text: await readFile(join(ROOT, name), 'utf8') })))
}

const blocks = (page: Page, language: string): string[] =>
  [...page.text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map((match) => match[1] ?? '')

/** Every command that a page tells its reader to type, in blocks and in running text. */
function commandLines(page: Page): string[] {
  const typed = blocks(page, 'sh').flatMap((block) => block.replaceAll('\\\n', ' ').split('\n'))
  const inline = [...page.text.matchAll(/`((?:npm|npx|tidegate) [^`]+)`/g)].map((match) => match[1] ?? '')
  return [...typed, ...inline]
    .flatMap((line) => line.split(/&&|[|>]/))
    .map((line) =>
      line
        .replace(/(^|\s)#.*$/, '')
        .replace(/^\s*(?:[A-Z_]+=\S+\s+)+/, '')
        .trim(),
    )
    .filter((line) => line !== '')
}

const words = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2] ?? match[3] ?? '')

/** Throws unless the command line is one that this version takes. */
function checkTidegate(args: readonly string[]): void {
  const command = COMMANDS.filter(({ name }) => name.split(' ').every((word, i) => args[i] === word)).sort(
    (a, b) => b.name.length - a.name.length,
  )[0]
  if (!command) throw new Error(`no command '${args.join(' ')}'`)
  if (!args.includes('--help')) readArguments(command, args.slice(command.name.split(' ').length))
}

describe('the documentation', async () => {
  const all = await pages()
  const manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> }

  it.each(all.map((page) => [page.name, page] as const))('of %s names only commands that exist', (_, page) => {
    for (const line of commandLines(page)) {
      const [program, ...args] = words(line)
      if (program === 'tidegate') checkTidegate(args)
      else if (program === 'npx' && args[0] === 'tidegate') checkTidegate(args.slice(1))
      else if (program === 'npx' && args[0] === 'vitest') {
        const path = args.find((word) => word.startsWith('test/'))
        if (path !== undefined) expect(existsSync(join(ROOT, path)), `${line}: ${path}`).toBe(true)
      } else if (program === 'npm') {
        const script = args[0] === 'run' ? args[1] : args[0]
        if (!NPM_ITSELF.includes(script ?? '')) expect(manifest.scripts, line).toHaveProperty(script ?? '')
        const rest = args.indexOf('--')
        if (script === 'start' && rest >= 0) checkTidegate(['demo', ...args.slice(rest + 1)])
      }
    }
  })

  it.each(all.map((page) => [page.name, page] as const))('of %s links only to files that exist', (name, page) => {
    for (const [, target] of page.text.matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g))
      expect(existsSync(resolve(ROOT, name, '..', target ?? '')), `${name} -> ${target}`).toBe(true)
  })

  it('names only error codes that the product has', async () => {
    const sources = await Promise.all(
      ['gateway', 'sync', 'simulators'].map(async (folder) => {
        const names = await readdir(join(ROOT, folder), { recursive: true })
        return await Promise.all(
          names.filter((name) => name.endsWith('.ts')).map((name) => readFile(join(ROOT, folder, name), 'utf8')),
        )
      }),
    )
    const text = sources.flat(2).join('\n')
    const operations = all.find(({ name }) => name === 'docs/operations.md')
    const codes = [...(operations?.text.matchAll(/`([A-Z]+(?:_[A-Z]+)+)`/g) ?? [])].map((match) => match[1] ?? '')
    expect(codes.length).toBeGreaterThan(5)
    for (const code of codes) expect(text.includes(`'${code}'`), code).toBe(true)
  })

  it('shows a configuration in the README that is valid', async () => {
    const readme = all.find(({ name }) => name === 'README.md')
    const [yaml] = readme ? blocks(readme, 'yaml') : []
    const config = parseConfig(yaml ?? '', {})
    expect(config).toMatchObject({ site: 'plant-1', outbox: { maxBytes: 20e9, whenFull: 'evict' } })
    const dir = await mkdtemp(join(tmpdir(), 'tidegate-docs-'))
    try {
      const file = join(dir, 'tidegate.yaml')
      await writeFile(file, yaml ?? '')
      const { stdout } = await run(process.execPath, [ENTRY, 'config', 'check', '--config', file])
      expect(stdout).toContain('is valid')
    } finally {
      await rm(dir, { recursive: true })
    }
  })

  it.each(COMMANDS.map((command) => [command.name, command] as const))(
    'of `%s --help` shows commands that work',
    (_, command) => {
      for (const { command: line } of command.examples)
        for (const part of line.split(/&&|\||>/)) {
          const [program, ...args] = words(part.replace(/^\s*(?:[A-Z_]+=\S+\s+)+/, '').trim())
          if (program === 'tidegate') checkTidegate(args)
        }
    },
  )
})
