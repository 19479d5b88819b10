import type { z } from 'zod'
import type { JsonSchema } from './json-schema.ts'
import { schemaAt, valueAt } from './keys.ts'
import { nearest } from './nearest.ts'

/** What is wrong at one path. */
export interface Explanation {
  path: readonly PropertyKey[]
  message: string
}

type Issue = z.core.$ZodIssue

/**
 * A validation issue in words: what was expected, what came. One issue about several unknown keys becomes one each.
 *
 * @param root what was validated
 * @param document JSON Schema of all of it: knows the keys that may stand somewhere, and their defaults
 */
export function explain(issue: Issue, root: unknown, document: JsonSchema): readonly Explanation[] {
  const { path } = issue
  const came = valueAt(root, path)
  const schema = schemaAt(document, path, root)
  if (issue.code === 'unrecognized_keys') {
    const known = Object.keys(schema?.properties ?? {})
    return issue.keys.map((key) => ({ path: [...path, key], message: unknownKey(key, known) }))
  }
  const meant = issue.code === 'invalid_union' ? meantAlternative(issue) : null
  if (meant)
    return meant.flatMap((inner) => explain({ ...inner, path: [...path, ...inner.path] } as Issue, root, document))
  return [{ path, message: `expected ${expectation(issue)}${outcome(issue, came, schema)}` }]
}

type UnionIssue = Extract<Issue, { code: 'invalid_union' }>

const isOfOtherType = (issue: Issue): boolean => issue.code === 'invalid_type' && issue.path.length === 0

/** Of several forms that a value may have, the one that was meant: the only one of its type. */
function meantAlternative({ errors }: UnionIssue): readonly Issue[] | null {
  const ofItsType = errors.filter((issues) => !issues.some(isOfOtherType))
  return ofItsType.length === 1 ? (ofItsType[0] ?? null) : null
}

function outcome(issue: Issue, came: unknown, schema: JsonSchema | undefined): string {
  if (came === undefined) {
    const usual = schema?.default
    return typeof usual === 'object' || usual === undefined
      ? ', but it is not given'
      : `, got its default ${show(usual)}`
  }
  if (schema?.['x-secret'] === true) return ', got something else (not shown: it is a secret)'
  // A rule between keys complains about a section or a list: showing all of it would help nobody.
  return issue.code === 'custom' && typeof came === 'object' ? '' : `, got ${show(came)}`
}

function unknownKey(key: string, known: readonly string[]): string {
  const suggestion = nearest(key, known)
  return suggestion === null
    ? `unknown key; known here: ${known.join(', ')}`
    : `unknown key; did you mean '${suggestion}'?`
}

function expectation(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return TYPES[issue.expected] ?? issue.expected
    case 'too_small':
      return bound(issue.origin, issue.inclusive === false ? 'more than' : 'at least', Number(issue.minimum))
    case 'too_big':
      return bound(issue.origin, issue.inclusive === false ? 'less than' : 'at most', Number(issue.maximum))
    case 'invalid_value':
      return oneOf(issue.values)
    case 'invalid_union':
      return alternatives(issue)
    default:
      return issue.message
  }
}

const TYPES: Readonly<Record<string, string>> = {
  int: 'a whole number',
  number: 'a number',
  string: 'a text',
  boolean: 'true or false',
  array: 'a list',
  object: 'a section of keys',
  record: 'a map of names to texts',
}

function alternatives({ errors, message }: UnionIssue): string {
  const words = errors.flatMap((issues) => issues.filter(isOfOtherType).map(expectation))
  return words.length === 0 ? message : [...new Set(words)].join(', or ')
}

function bound(origin: string, side: string, limit: number): string {
  if (origin === 'string')
    return limit === 1 && side === 'at least' ? 'a text that is not empty' : `${side} ${limit} characters`
  if (origin === 'array') return `a list of ${side} ${limit}`
  return side === 'more than' || side === 'less than' ? `a number ${side} ${limit}` : `a number of ${side} ${limit}`
}

const oneOf = (values: readonly unknown[]): string => `one of ${values.map((value) => String(value)).join(', ')}`

/** A value as it would be written, short enough for one line. */
function show(value: unknown): string {
  if (value === null) return 'nothing'
  if (typeof value === 'string') return `'${cut(value)}'`
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `the list ${cut(JSON.stringify(value))}`
  return typeof value === 'object' ? `the section ${cut(JSON.stringify(value))}` : String(value)
}

const cut = (text: string): string => (text.length <= 60 ? text : `${text.slice(0, 57)}...`)
