import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Millis } from '../../../sync/contract/index.ts'
import type { Clock } from '../../../sync/runtime/index.ts'

/**
 * How long ago an event must have been handed on before its position counts as done: Node-RED delivers messages between nodes later, and
 * drops those that are on their way when a deploy or its end comes. Also bounds how often the file is written.
 */
const SETTLED_AFTER: Millis = 500

/** Where reading begins when the file cannot be read: better everything once more than something never. */
const BEGINNING = 'start'

/**
 * How far the flows have got in the stream of events, kept in a file: whole or not at all, never ahead of what was handed on.
 */
export class Cursor {
  readonly #file: string
  readonly #clock: Clock
  #position: string | null = null
  #loaded = false
  /** There is a file. */
  #begun = false
  #timer: (() => void) | null = null
  #writing: Promise<void> = Promise.resolve()

  constructor(file: string, clock: Clock) {
    this.#file = file
    this.#clock = clock
  }

  /** Null when nothing has ever been read here. */
  async position(): Promise<string | null> {
    if (!this.#loaded) {
      const stored = await this.#load()
      // It may have advanced meanwhile.
      this.#position ??= stored
      this.#begun ||= stored !== null
      this.#loaded = true
    }
    return this.#position
  }

  /** Everything up to here has been handed on. It is on disk when it has settled. */
  advance(position: string): void {
    this.#position = position
    // The first one is written at once: without a file a restart would begin at the newest event, and miss those before it.
    this.#timer ??= this.#clock.after(this.#begun ? SETTLED_AFTER : 0, () => {
      this.#timer = null
      this.#begun = true
      // A disk that does not take it is no reason to stop: the next write may succeed.
      this.#writing = this.#writing.then(() => this.#write(position)).catch(() => undefined)
      if (this.#position !== null && this.#position !== position) this.advance(this.#position)
    })
  }

  async #write(position: string): Promise<void> {
    await mkdir(dirname(this.#file), { recursive: true })
    const file = await open(`${this.#file}.new`, 'w')
    try {
      await file.writeFile(`${JSON.stringify({ after: position })}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(`${this.#file}.new`, this.#file)
  }

  async #load(): Promise<string | null> {
    const text = await readFile(this.#file, 'utf8').catch((error: NodeJS.ErrnoException) =>
      error.code === 'ENOENT' ? null : '',
    )
    if (text === null) return null
    try {
      const { after } = JSON.parse(text) as { after?: unknown }
      return typeof after === 'string' ? after : BEGINNING
    } catch {
      return BEGINNING
    }
  }
}
