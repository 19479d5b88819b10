import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { endWithThisProcess } from '../../../sync/runtime/index.ts'

const DEPLOY = new URL('../../../deploy/keepalived/', import.meta.url)

/** What an operator fills in; see deploy/README.md. */
interface FilledIn {
  /** Name of its interface to the devices. */
  interface: string
  /** `address/prefix` */
  address: string
  priority: number
  /** Of the gateway beside it. */
  dataDir: string
}

/** keepalived with the file of deploy/, as a process of its own beside a gateway. */
export class Keepalived {
  readonly log: string[] = []
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>

  private constructor(child: ChildProcess) {
    this.#child = child
    const letGo = child.pid === undefined ? () => undefined : endWithThisProcess(child.pid)
    this.#exited = once(child, 'exit').then(letGo)
    for (const stream of [child.stdout, child.stderr])
      if (stream) createInterface({ input: stream }).on('line', (line) => this.log.push(line))
  }

  /**
   * @param under goes before its command line
   * @param dir of its own, for its files
   */
  static async start(under: readonly string[], dir: string, filledIn: FilledIn): Promise<Keepalived> {
    // It runs no check that anybody but root may change, and this folder may be anybody's.
    const check = join(dir, 'check-tidegate')
    await copyFile(fileURLToPath(new URL('check-tidegate', DEPLOY)), check)
    const config = join(dir, 'keepalived.conf')
    await writeFile(config, fillIn(await readFile(new URL('keepalived.conf', DEPLOY), 'utf8'), check, filledIn))
    const own = ['--use-file', config, '--pid', join(dir, 'pid'), '--vrrp_pid', join(dir, 'vrrp.pid')]
    const [program = '', ...args] = [...under, 'keepalived', '--dont-fork', '--log-console', '--no-syslog', ...own]
    return new Keepalived(spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true }))
  }

  /** Waits until its log says this once more. */
  async says(what: RegExp, within: number): Promise<void> {
    const from = this.log.length
    await expect.poll(() => this.log.slice(from).join('\n'), { timeout: within }).toMatch(what)
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM')
    await this.#exited
  }
}

/** @throws Error when the file has something else where an operator is told to write */
function fillIn(file: string, check: string, filledIn: FilledIn): string {
  const lines: readonly [RegExp, string][] = [
    [/^( *interface )\S+$/m, filledIn.interface],
    [/^( *virtual_ipaddress \{\n *)\S+$/m, filledIn.address],
    [/^( *priority )\S+$/m, String(filledIn.priority)],
    [/^( *script )".*"$/m, `"${check} ${filledIn.dataDir}"`],
  ]
  return lines.reduce((text, [line, value]) => {
    if (!line.test(text)) throw new Error(`expected ${line} in keepalived.conf, there is none`)
    return text.replace(line, (_, before: string) => `${before}${value}`)
  }, file)
}

/** Why there can be no keepalived here, or nothing that its check runs; null when there can. */
export function whyNoKeepalived(): string | null {
  for (const program of ['keepalived', 'curl']) {
    try {
      execFileSync(program, ['--version'], { stdio: 'ignore' })
    } catch {
      return `${program} is not installed`
    }
  }
  return null
}
