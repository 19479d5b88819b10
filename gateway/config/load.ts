import { readFile } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import { OperatorError } from '../../sync/contract/index.ts'
import { readDocument, withoutNulls } from './document.ts'
import { type Environment, type Override, readOverrides } from './environment.ts'
import { explain } from './explain.ts'
import { configJsonSchema } from './json-schema.ts'
import { resolvePaths } from './paths.ts'
import { ConfigError, type Problem, pathName } from './problem.ts'
import { type Config, configSchema } from './schema/index.ts'

export interface ParseOptions {
  /** What the text is called in messages. */
  name?: string
  /** Folder that relative paths are taken from. */
  folder?: string
}

/**
 * Reads a gateway's configuration: the file, `TIDEGATE_*` variables over it, defaults under it.
 *
 * @throws OperatorError `CONFIG_UNREADABLE` when there is no such file, or no right to read it
 * @throws ConfigError `CONFIG_INVALID` with everything that is wrong, not only the first thing
 */
export async function loadConfig(file: string, env: Environment): Promise<Config> {
  const path = resolve(file)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw new OperatorError(
      'CONFIG_UNREADABLE',
      `expected a configuration file at ${path} but could not read it (${(cause as NodeJS.ErrnoException).code}); \`tidegate config example\` prints one to start from`,
      { cause },
    )
  }
  return parseConfig(text, env, { name: basename(file), folder: dirname(path) })
}

/**
 * The same from a text in memory.
 *
 * @throws ConfigError `CONFIG_INVALID`
 */
export function parseConfig(text: string, env: Environment, options: ParseOptions = {}): Config {
  const { name = 'configuration', folder = process.cwd() } = options
  const document = readDocument(text, name)
  const { overrides, problems: unknownVariables } = readOverrides(env)
  if (document.problems.length > 0) throw new ConfigError([...document.problems, ...unknownVariables])

  const input = withOverrides(withoutNulls(document.value ?? {}), overrides)
  const result = configSchema.safeParse(input)
  const schema = configJsonSchema()
  const problems = (result.error?.issues ?? []).flatMap((issue) =>
    explain(issue, input, schema).map(({ path, message }): Problem => {
      const override = overrides.find((candidate) => candidate.path.every((key, i) => key === path[i]))
      if (override !== undefined) {
        const inside = pathName(path.slice(override.path.length))
        return { where: 'environment', path: `${override.variable}${inside && ` ${inside}`}`, message }
      }
      const line = document.lineOf(path)
      return { where: name, ...(line === undefined ? {} : { line }), path: pathName(path), message }
    }),
  )
  if (!result.success || unknownVariables.length > 0) throw new ConfigError([...problems, ...unknownVariables])
  return resolvePaths(result.data, folder)
}

function withOverrides(input: unknown, overrides: readonly Override[]): unknown {
  return overrides.reduce((value, { path, value: override }) => setAt(value, path, override), input)
}

/** A copy with one value replaced. A file that has a plain value where a section belongs keeps it: that is its own problem. */
function setAt(target: unknown, path: readonly string[], value: unknown): unknown {
  const [key, ...rest] = path
  if (key === undefined) return value
  if (typeof target !== 'object' || target === null || Array.isArray(target)) return target
  const section = target as Readonly<Record<string, unknown>>
  return { ...section, [key]: setAt(section[key] ?? (rest.length > 0 ? {} : undefined), rest, value) }
}
