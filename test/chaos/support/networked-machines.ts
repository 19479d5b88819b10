import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Machine } from '../../../simulators/site/index.ts'
import { systemRandom } from '../../../sync/runtime/index.ts'

/** Networks of a site. Each machine has an interface of that name in each of them. */
export const CABLES = ['devices', 'peers', 'centre'] as const
export type Cable = (typeof CABLES)[number]

/** What a network takes of the last byte of an address: four of them fit. */
const NETWORK_SIZE = 64
const PREFIX = 26

/** Waits until its standard input ends, which is when its parent wants it or is gone, however it went; then removes what it is told. */
const REMOVE = `
  read -r _
  links="$1" namespaces="$2"
  for name in $links; do ip link delete "$name"; done
  for name in $namespaces; do ip netns delete "$name"; rm -rf "/etc/netns/$name"; done
`

/** Runs `ip` and returns what it prints. */
export const ip = (...args: readonly string[]): string =>
  execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

/**
 * Machines for gateways, each a network namespace with a cable to the devices, one to the other machines, and one to the centre. The
 * other ends are in switches (bridges) of the namespace of this process, where devices and centre are. A cable that is pulled takes
 * packets away; nobody is told, as on a real one.
 *
 *     built --remove(), or the end of this process--> removed
 */
export class NetworkedMachines {
  readonly machines: readonly Machine[]
  /** Name of one more, for devices that have a resolver of their own: all that it has is a cable to the other devices. */
  readonly deviceNamespace: string
  /** Of everything that belongs to this run. */
  readonly #tag: string
  /** First three bytes of all addresses. */
  readonly #net: string
  readonly #remover: ChildProcess

  /** Builds all, or nothing. */
  static async build(count: number): Promise<NetworkedMachines> {
    const built = new NetworkedMachines(count)
    try {
      for (const cable of CABLES) built.#addSwitch(cable)
      for (const number of built.machines.keys()) built.#addMachine(number, built.namespaceOf(number), CABLES)
      built.#addMachine(count, built.deviceNamespace, ['devices'])
      return built
    } catch (error) {
      await built.remove()
      throw error
    }
  }

  private constructor(count: number) {
    this.#tag = `tg${systemRandom.hex(2)}`
    this.#net = freeNetwork()
    const numbers = [...Array(count).keys()]
    this.machines = numbers.map((number) => ({
      under: ['ip', 'netns', 'exec', this.namespaceOf(number)],
      address: this.#addressOf('devices', number),
      peerAddress: this.#addressOf('peers', number),
    }))
    this.deviceNamespace = `${this.#tag}-device`
    const ends = CABLES.flatMap((cable) => [this.#switchOf(cable), ...numbers.map((n) => this.#endOf(n, cable))])
    const links = [...ends, this.#endOf(count, 'devices')]
    const namespaces = [...numbers.map((number) => this.namespaceOf(number)), this.deviceNamespace]
    // A process group of its own: Ctrl-C in the terminal must not end it before it has done its work.
    const args = ['-c', REMOVE, 'remove', links.join(' '), namespaces.join(' ')]
    this.#remover = spawn('sh', args, { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  }

  /** Where gateways find the centre. */
  get centralHost(): string {
    return this.#hostOf('centre')
  }

  /** An address among the devices' that nobody has, with the size of their network. */
  get spareAddress(): { address: string; prefix: number } {
    return { address: this.#addressOf('devices', this.machines.length + 1), prefix: PREFIX }
  }

  namespaceOf(number: number): string {
    return `${this.#tag}-gw-${number + 1}`
  }

  /** Whether a machine answers to this address. */
  has(number: number, address: string): boolean {
    return ip('-n', this.namespaceOf(number), '-o', '-4', 'address').includes(` ${address}/`)
  }

  /** Pulls cables of a machine, all unless said, at their other end: the machine sees no more than that nothing is there. */
  pull(number: number, cables: readonly Cable[] = CABLES): void {
    for (const cable of cables) ip('link', 'set', this.#endOf(number, cable), 'down')
  }

  plugIn(number: number, cables: readonly Cable[] = CABLES): void {
    for (const cable of cables) ip('link', 'set', this.#endOf(number, cable), 'up')
  }

  /** @throws Error when something of it is still there */
  async remove(): Promise<void> {
    const { exitCode, stdin } = this.#remover
    if (exitCode === null) {
      const removed = once(this.#remover, 'exit')
      stdin?.end()
      await removed
    }
    const left = [ip('-o', 'link'), ip('netns', 'list')].join('').split('\n')
    const ours = left.filter((line) => line.includes(this.#tag))
    if (ours.length > 0) throw new Error(`expected nothing to be left of ${this.#tag}, got:\n${ours.join('\n')}`)
  }

  #addSwitch(cable: Cable): void {
    ip('link', 'add', this.#switchOf(cable), 'type', 'bridge')
    ip('link', 'set', this.#switchOf(cable), 'up')
    // Nobody but gateways speaks to gateways there.
    if (cable !== 'peers') ip('address', 'add', `${this.#hostOf(cable)}/${PREFIX}`, 'dev', this.#switchOf(cable))
  }

  #addMachine(number: number, namespace: string, cables: readonly Cable[]): void {
    ip('netns', 'add', namespace)
    ip('-n', namespace, 'link', 'set', 'lo', 'up')
    for (const cable of cables) {
      const end = this.#endOf(number, cable)
      ip('link', 'add', end, 'type', 'veth', 'peer', 'name', cable, 'netns', namespace)
      ip('-n', namespace, 'address', 'add', `${this.#addressOf(cable, number)}/${PREFIX}`, 'dev', cable)
      ip('-n', namespace, 'link', 'set', cable, 'up')
      ip('link', 'set', end, 'master', this.#switchOf(cable), 'up')
    }
  }

  /** This end of a cable; names of interfaces have 15 characters at most. */
  #endOf(number: number, cable: Cable): string {
    return `${this.#tag}-${cable.slice(0, 4)}${number + 1}`
  }

  #switchOf(cable: Cable): string {
    return `${this.#tag}-${cable}`
  }

  /** Of the namespace of this process. */
  #hostOf(cable: Cable): string {
    return `${this.#net}.${CABLES.indexOf(cable) * NETWORK_SIZE + 1}`
  }

  #addressOf(cable: Cable, number: number): string {
    return `${this.#net}.${CABLES.indexOf(cable) * NETWORK_SIZE + 11 + number}`
  }
}

/** A private /24 that this machine knows nothing of. */
function freeNetwork(): string {
  const known = `${ip('-4', 'route')}${ip('-4', 'address')}`
  for (;;) {
    const [second, third] = [systemRandom.next(), systemRandom.next()].map((chance) => Math.floor(chance * 256))
    const net = `10.${second}.${third}`
    if (!known.includes(`${net}.`)) return net
  }
}

/** Why there can be no such machines here; null when there can. */
export async function whyNoMachines(): Promise<string | null> {
  try {
    const tried = await NetworkedMachines.build(1)
    await tried.remove()
    return null
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error)
    return `network namespaces cannot be made here: ${said.replaceAll(/\s+/g, ' ')}`
  }
}
