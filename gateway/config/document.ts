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
  return {
    value: problems.length > 0 ? undefined : (document.toJS() ?? undefined),
    problems,
    lineOf(path) {
      const offset = offsetOf(document, path)
      return offset === undefined ? undefined : lines.linePos(offset).line
    },
  }
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
