/** One line that Node-RED, a node of a flow, or Node.js itself has said. */
export interface FlowsLogEntry {
  level: 'error' | 'warn' | 'info' | 'debug'
  text: string
}

const LEVELS: readonly string[] = ['error', 'warn', 'info', 'debug'] satisfies FlowsLogEntry['level'][]

/** What one line holds at most: a flow that prints a camera picture must not fill the gateway's log. */
const LONGEST = 4000

/**
 * Takes a stream's chunks and tells its lines. Lines that the settings' log handler wrote are JSON; all others are what somebody printed
 * past it, and get the level of their stream.
 */
export class LogLines {
  readonly #usual: FlowsLogEntry['level']
  readonly #tell: (entry: FlowsLogEntry) => void
  #rest = ''

  constructor(usual: FlowsLogEntry['level'], tell: (entry: FlowsLogEntry) => void) {
    this.#usual = usual
    this.#tell = tell
  }

  take(chunk: string): void {
    const lines = (this.#rest + chunk).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#line(line)
    // Somebody who prints without an end of line is not collected for ever.
    if (this.#rest.length > LONGEST * 4) this.end()
  }

  /** The stream is at its end: what is left is a line too. */
  end(): void {
    const line = this.#rest
    this.#rest = ''
    this.#line(line)
  }

  #line(line: string): void {
    if (line.trim() === '') return
    this.#tell(readEntry(line) ?? { level: this.#usual, text: line.trimEnd().slice(0, LONGEST) })
  }
}

function readEntry(line: string): FlowsLogEntry | null {
  if (!line.startsWith('{"level":')) return null
  try {
    const { level, text } = JSON.parse(line) as Partial<FlowsLogEntry>
    if (typeof text !== 'string' || !LEVELS.includes(level ?? '')) return null
    return { level: level as FlowsLogEntry['level'], text: text.slice(0, LONGEST) }
  } catch {
    return null
  }
}
