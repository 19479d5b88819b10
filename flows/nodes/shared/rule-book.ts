import { describeError } from '../../../sync/contract/index.ts'
import { Backoff, type Clock, pause, type Random } from '../../../sync/runtime/index.ts'
import { type GatewayApi, GatewayRefusedError } from '../../api/index.ts'
import { type RuleEntry, RuleProblem, troublesOf } from './rule-problems.ts'

/** How a node's rule stands: what its status dot says. */
export type Standing =
  | { state: 'waiting'; text: string }
  | { state: 'deployed' }
  /** This very rule is wrong. */
  | { state: 'problem'; text: string }
  /** Another one is, and they are deployed together or not at all. */
  | { state: 'blocked'; text: string }

export interface RuleHolder extends RuleEntry {
  stands(standing: Standing): void
}

interface Waiter {
  id: string
  resolve: () => void
  reject: (error: Error) => void
}

/** Resolves when what rules cause is going to be heard of, and tells why that is not so yet. */
type Heard = (waits: (why: string) => void) => Promise<void>

/** The set that belongs to Node-RED alone. */
const SET = { set: 'flows' }

/**
 * The rules that the flows hold, deployed to the gateway as one set: all or none.
 *
 *     incomplete --complete()--> complete --deploy, retried while the gateway is away--> deployed
 *         ^                          |
 *         +---- a node leaves -------+
 *
 * Only in `complete` is anything sent: half of the rules, while a deploy replaces nodes, or none, because Node-RED stops, would take
 * limits away from a plant.
 */
export class RuleBook {
  readonly #api: GatewayApi
  readonly #clock: Clock
  readonly #backoff: Backoff
  readonly #heard: Heard
  readonly #holders = new Map<string, RuleHolder>()
  #complete = false
  #working = false
  #again = false
  #wake = new AbortController()
  #waiters: Waiter[] = []

  constructor(parts: { api: GatewayApi; clock: Clock; random: Random; heard: Heard }) {
    this.#api = parts.api
    this.#heard = parts.heard
    this.#clock = parts.clock
    this.#backoff = new Backoff({ min: 250, max: 15_000 }, parts.random)
  }

  add(id: string, holder: RuleHolder): void {
    this.#holders.set(id, holder)
    holder.stands({ state: 'waiting', text: 'to be deployed' })
  }

  remove(id: string): void {
    this.#holders.delete(id)
    this.#complete = false
  }

  /** All nodes of the flows are there. Deploys the set. */
  complete(): void {
    this.#complete = true
    this.deploy()
  }

  /** Deploys what there is, now or when the book is complete. Sending the same set again changes nothing at the gateway. */
  deploy(): void {
    this.#again = true
    this.#wake.abort()
    if (!this.#working) void this.#work()
  }

  /**
   * The rule of a node has changed while the flows run.
   *
   * @returns resolves when the gateway has it
   * @throws RuleProblem when it will not have it; then the holder should go back to what it had and call `deploy`
   */
  changed(id: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ id, resolve, reject })
      this.deploy()
    })
  }

  async #work(): Promise<void> {
    this.#working = true
    while (this.#again && this.#complete) {
      this.#again = false
      this.#wake = new AbortController()
      if (await this.#send()) continue
      this.#again = true
      await pause(this.#clock, this.#backoff.next(), this.#wake.signal)
    }
    this.#working = false
  }

  /** @returns false when the gateway is away and it has to be tried again */
  async #send(): Promise<boolean> {
    const holders = [...this.#holders.values()]
    const waiters = this.#waiters.splice(0)
    try {
      const own = troublesOf(holders)
      if (own.size > 0) throw new RuleProblem(own)
      // What they cause from the first moment on is to come out of the nodes.
      await this.#heard((why) => {
        for (const holder of holders) holder.stands({ state: 'waiting', text: why })
      })
      // That may have taken a while, and these may not be the rules any more.
      if (this.#again || !this.#complete) {
        this.#waiters.unshift(...waiters)
        return false
      }
      await this.#api.put('/rules', SET, { rules: holders.map(({ rule }) => rule()) })
    } catch (error) {
      const problem = asProblem(error, holders)
      if (problem === null) {
        this.#waiters.unshift(...waiters)
        for (const holder of holders) holder.stands({ state: 'waiting', text: describeError(error) })
        return false
      }
      for (const holder of holders) holder.stands(standingOf(holder, problem))
      this.#refused(waiters, problem)
      return true
    }
    this.#backoff.reset()
    for (const holder of holders) holder.stands({ state: 'deployed' })
    for (const waiter of waiters) waiter.resolve()
    return true
  }

  /** Those whose change is to blame take it back, and the others' changes are deployed without it. When none of them is, all have to. */
  #refused(waiters: readonly Waiter[], problem: RuleProblem): void {
    const blamed = new Set([...this.#holders].flatMap(([id, holder]) => (problem.of.has(holder) ? [id] : [])))
    const guilty = waiters.filter(({ id }) => blamed.has(id))
    if (guilty.length > 0) this.#waiters.unshift(...waiters.filter(({ id }) => !blamed.has(id)))
    for (const waiter of guilty.length > 0 ? guilty : waiters) waiter.reject(problem)
  }
}

function standingOf(holder: RuleHolder, { of, message }: RuleProblem): Standing {
  const own = of.get(holder)
  return own === undefined ? { state: 'blocked', text: message } : { state: 'problem', text: own.join('\n') }
}

/** Null when nothing is wrong with the rules: the gateway is away. */
function asProblem(error: unknown, holders: readonly RuleHolder[]): RuleProblem | null {
  if (error instanceof RuleProblem) return error
  return error instanceof GatewayRefusedError ? RuleProblem.ofRefusal(error, holders) : null
}
