import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect } from 'vitest'
import { endWithThisProcess } from '../../../sync/runtime/index.ts'

/** For how long whoever asks may keep an answer, in seconds. */
const TTL = 5

/** dnsmasq in a network namespace, whose programs ask it and nobody else. */
export class NameServer {
  readonly #log: string[] = []
  readonly #records: string
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>

  private constructor(child: ChildProcess, records: string) {
    this.#child = child
    this.#records = records
    const letGo = child.pid === undefined ? () => undefined : endWithThisProcess(child.pid)
    this.#exited = once(child, 'exit').then(letGo)
    if (child.stderr) createInterface({ input: child.stderr }).on('line', (line) => this.#log.push(line))
  }

  /** @param dir for its file */
  static async start(namespace: string, dir: string, name: string, addresses: readonly string[]): Promise<NameServer> {
    // What is there, `ip netns exec` puts over /etc for whoever it runs; it goes with the namespace.
    const etc = `/etc/netns/${namespace}`
    await mkdir(etc, { recursive: true })
    await writeFile(join(etc, 'resolv.conf'), 'nameserver 127.0.0.1\n')
    const records = join(dir, 'records')
    await writeFile(records, lines(name, addresses))
    const own = ['--conf-file=/dev/null', '--no-resolv', '--no-hosts', `--addn-hosts=${records}`, `--local-ttl=${TTL}`]
    // Root's, since the folder is: others could not read the file again.
    const process = ['--keep-in-foreground', '--log-facility=-', '--user=root', '--pid-file=']
    const listen = ['--listen-address=127.0.0.1', '--bind-interfaces']
    const args = ['netns', 'exec', namespace, 'dnsmasq', ...own, ...process, ...listen]
    const server = new NameServer(spawn('ip', args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true }), records)
    await server.#says(/started/, 0)
    return server
  }

  /** From now on the name has these addresses. */
  async set(name: string, addresses: readonly string[]): Promise<void> {
    await writeFile(this.#records, lines(name, addresses))
    const before = this.#log.length
    this.#child.kill('SIGHUP')
    await this.#says(/read .*records/, before)
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM')
    await this.#exited
  }

  async #says(what: RegExp, from: number): Promise<void> {
    await expect.poll(() => this.#log.slice(from).join('\n'), { timeout: 10_000 }).toMatch(what)
  }
}

const lines = (name: string, addresses: readonly string[]): string =>
  addresses.map((address) => `${address} ${name}\n`).join('')

/** Why there can be no such server here, or no client that is not ours; null when there can. */
export function whyNoNameServer(): string | null {
  for (const [program, pack] of [
    ['dnsmasq', 'dnsmasq-base'],
    ['mosquitto_pub', 'mosquitto-clients'],
  ] as const) {
    // What is not there has no status at all.
    if (spawnSync(program, ['--version'], { stdio: 'ignore' }).status === null)
      return `${program} is not installed (Debian: ${pack})`
  }
  return null
}
