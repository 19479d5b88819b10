import type { Clock } from '../../sync/runtime/index.ts'
import { FaultProxy, type Release } from '../faults/index.ts'
import { realNetwork } from './machine.ts'

/** A network between gateways: each dials each other one, on a way of its own. */
export class PeerNetwork {
  readonly #ways: readonly { from: number; to: number; proxy: FaultProxy }[]
  readonly #cuts = new Map<string, readonly Release[]>()

  private constructor(ways: readonly { from: number; to: number; proxy: FaultProxy }[]) {
    this.#ways = ways
  }

  /** Gateways that reach each other over a real network: nothing is laid, and nothing can be cut. */
  static none(): PeerNetwork {
    return new PeerNetwork([])
  }

  /** @param ports where each gateway listens for the others */
  static async lay(ports: readonly number[], clock: Clock): Promise<PeerNetwork> {
    const ways: { from: number; to: number; proxy: FaultProxy }[] = []
    for (const from of ports.keys())
      for (const [to, port] of ports.entries()) {
        if (from !== to)
          ways.push({ from, to, proxy: await FaultProxy.listen({ target: { port }, protocol: 'mqtt', clock }) })
      }
    return new PeerNetwork(ways)
  }

  /** Whether any two gateways cannot reach each other. */
  get isCut(): boolean {
    return this.#cuts.size > 0
  }

  /** Where `from` finds the others: their numbers, and the port that leads there. */
  waysOf(from: number): { to: number; port: number }[] {
    return this.#ways.filter((way) => way.from === from).map(({ to, proxy }) => ({ to, port: proxy.port }))
  }

  /** Both ways between two gateways, for faults that are not simple cuts. */
  between(a: number, b: number): readonly FaultProxy[] {
    return this.#ways
      .filter(({ from, to }) => (from === a && to === b) || (from === b && to === a))
      .map((way) => way.proxy)
  }

  /** @throws UsageError `NETWORK_REAL` */
  async cut(a: number, b: number): Promise<void> {
    const name = nameOf(a, b)
    if (this.#cuts.has(name)) return
    if (this.#ways.length === 0) throw realNetwork(`the network of gateways ${name}`)
    this.#cuts.set(name, [])
    this.#cuts.set(name, await Promise.all(this.between(a, b).map((proxy) => proxy.cut())))
  }

  async heal(a: number, b: number): Promise<void> {
    const releases = this.#cuts.get(nameOf(a, b)) ?? []
    this.#cuts.delete(nameOf(a, b))
    for (const release of releases) await release()
  }

  async healAll(): Promise<void> {
    for (const { from, to } of this.#ways) if (from < to) await this.heal(from, to)
  }

  async close(): Promise<void> {
    for (const { proxy } of this.#ways) await proxy.close()
  }
}

const nameOf = (a: number, b: number): string => `${Math.min(a, b)}-${Math.max(a, b)}`
