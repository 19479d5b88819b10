import { parseDocument } from 'yaml'
import { type ConfigKey, valueKeys } from './keys.ts'
import { nearest } from './nearest.ts'
import type { Problem } from './problem.ts'

/** The variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Names the configuration file when no `--config` does; not a key itself. */
export const CONFIG_FILE_VARIABLE = 'TIDEGATE_CONFIG'

const PREFIX = 'TIDEGATE_'

/**
 * What Kubernetes and old Docker links put into the environment of every container beside a service called `tidegate`:
 * `TIDEGATE_SERVICE_HOST`, `TIDEGATE_PORT_1883_TCP_ADDR`, ... Not ours, and no reason to refuse to start.
 */
const INJECTED = /^TIDEGATE_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/

/** A value from the environment, ready to take the place of what the file says. */
export interface Override {
  path: readonly string[]
  variable: string
  value: unknown
}

/**
 * The variable that overrides a key: `TIDEGATE_`, then the path in capitals, with `_` between words and between levels:
 * `central.retry.min` is `TIDEGATE_CENTRAL_RETRY_MIN`, `dataDir` is `TIDEGATE_DATA_DIR`. No two keys have the same.
 */
export function variableName(path: readonly string[]): string {
  return PREFIX + path.map((key) => key.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase()).join('_')
}

/**
 * The overrides that the environment asks for. An empty variable counts as not set (compose files write
 * `${TOKEN:-}`); an unknown `TIDEGATE_` one is a problem, for it was meant to change something.
 */
export function readOverrides(env: Environment): { overrides: readonly Override[]; problems: readonly Problem[] } {
  const keys = new Map(valueKeys().map((key) => [variableName(key.path), key]))
  const overrides: Override[] = []
  const problems: Problem[] = []
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith(PREFIX) || variable === CONFIG_FILE_VARIABLE || text === undefined || text === '') continue
    const key = keys.get(variable)
    if (key !== undefined) overrides.push({ path: key.path, variable, value: readValue(key, text) })
    else if (!INJECTED.test(variable)) problems.push(unknownVariable(variable, keys.keys()))
  }
  return { overrides, problems }
}

function unknownVariable(variable: string, known: Iterable<string>): Problem {
  const suggestion = nearest(variable, known)
  const hint = suggestion === null ? '`tidegate config reference` lists them' : `did you mean ${suggestion}?`
  return { where: 'environment', path: variable, message: `no key has this variable; ${hint}` }
}

/**
 * Text stays text where text (or a size, or a duration) is wanted, so that a password of digits is not taken for a number.
 * Everything else is read as YAML; a list of texts may also be written with commas.
 */
function readValue(key: ConfigKey, text: string): unknown {
  const { type } = key.schema
  if (type === 'array') {
    const plain = key.schema.items?.type === 'string' && !text.trimStart().startsWith('[')
    return plain ? text.split(',').map((item) => item.trim()) : readYaml(text)
  }
  return type === 'integer' || type === 'boolean' || type === 'object' || key.schema['anyOf'] !== undefined
    ? readYaml(text)
    : text
}

/** The value, or the text itself when it is not YAML: the schema then says what was expected instead. */
function readYaml(text: string): unknown {
  const document = parseDocument(text)
  return document.errors.length > 0 ? text : document.toJS()
}
