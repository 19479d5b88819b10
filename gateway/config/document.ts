import { type Document, isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from 'yaml'
import type { Problem } from './problem.ts'

/** A parsed YAML file that still knows where everything stands. */
export interface PositionedDocument {
  /** Plain objects, lists and values; undefined for an empty file, and when there are problems. */
  value: unknown
  /** What is wrong with it as YAML: syntax, keys given twice. */
  problems: readonly Problem[]
  /** The line of a key, or of the nearest section around it that is there; undefined when none of them is. */
  lineOf(path: readonly PropertyKey[]): number | undefined
}

/** @param name what the file is called in messages */
export function readDocument(text: string, name: string): PositionedDocument {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const problems = [...document.errors, ...document.warnings].map((error): Problem => {
    const reason = error.message.charAt(0).toLowerCase() + error.message.slice(1)
    return { where: name, line: lines.linePos(error.pos[0]).line, path: '', message: `not valid YAML: ${reason}` }
  })
  const value = problems.length > 0 ? undefined : plainValue(document, name, problems)
  return {
    value,
    problems,
    lineOf(path) {
      const offset = offsetOf(document, path)
      return offset === undefined ? undefined : lines.linePos(offset).line
    },
  }
}

/** An alias may name nothing, or too much, and then there is no value. */
function plainValue(document: Document.Parsed, name: string, problems: Problem[]): unknown {
  try {
    const value: unknown = document.toJS() ?? undefined
    if (!isTooDeep(value)) return value
    problems.push({ where: name, path: '', message: TOO_DEEP })
  } catch (error) {
    problems.push({ where: name, path: '', message: `not valid YAML: ${(error as Error).message}` })
  }
  return undefined
}

const LEVELS = 100

export const TOO_DEEP = `expected at most ${LEVELS} levels of sections in sections`

/** Whether it is nested so deeply that walking through it could exhaust the stack; what contains itself is. */
export function isTooDeep(value: unknown, levels = LEVELS): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((child) => isTooDeep(child, levels - 1))
}

/** A key with nothing after it counts as not written: what is left of a section whose keys are all commented out. */
export function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, child]) => (child === null ? [] : [[key, withoutNulls(child)]])),
  )
}

/** Where the last step of the path that exists begins in the text: the key of a section, the item of a list. */
function offsetOf(document: Document.Parsed, path: readonly PropertyKey[]): number | undefined {
  let node: unknown = document.contents
  let offset: number | undefined
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document)
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === step)
      if (pair === undefined) return offset
      if (isNode(pair.key)) offset = pair.key.range?.[0] ?? offset
      node = pair.value
    } else if (isSeq(node) && typeof step === 'number') {
      node = node.items[step]
      if (isNode(node)) offset = node.range?.[0] ?? offset
    } else return offset
  }
  return offset
}
