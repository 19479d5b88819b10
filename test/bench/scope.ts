import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeError } from '../../sync/contract/index.ts'

type Undo = () => Promise<unknown>

/**
 * What has to be undone: processes to end, folders to remove. Undone newest first, once, whoever asks: the end of the bench, or
 * Ctrl-C in its middle.
 */
export class Scope {
  readonly #undo: Undo[] = []
  readonly #complain: (line: string) => void
  #closed = false

  constructor(complain: (line: string) => void) {
    this.#complain = complain
  }

  /** In a scope that is closed already (something was being started when Ctrl-C came), undoes at once. */
  async defer(undo: Undo): Promise<void> {
    this.#undo.push(undo)
    if (this.#closed) await this.close()
  }

  /** An empty folder on the disk of the system's temporary files. */
  async folder(): Promise<string> {
    const dir = await mkdtemp(join(tmpdir(), 'tidegate-bench-'))
    await this.defer(() => rm(dir, { recursive: true, force: true }))
    return dir
  }

  /** Runs `work` in a scope of its own that ends with it, but not later than this one. */
  async within<T>(work: (scope: Scope) => Promise<T>): Promise<T> {
    const inner = new Scope(this.#complain)
    await this.defer(() => inner.close())
    try {
      return await work(inner)
    } finally {
      await inner.close()
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (let undo = this.#undo.pop(); undo; undo = this.#undo.pop()) {
      // One thing that cannot be undone must not keep the others.
      await undo().catch((error: unknown) => this.#complain(`clearing away: ${describeError(error)}`))
    }
  }
}
