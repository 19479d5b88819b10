import { DeadLetterError, type Millis, type ThresholdEvent } from '../../../sync/contract/index.ts'
import { Backtest, type RuleSet } from '../../rules/index.ts'
import { kindOf } from '../events/index.ts'
import { gatewayOf, type RecordedBatch, recordedReading } from './recording.ts'

export interface RehearsalOptions {
  rules: RuleSet
  /** Only readings that were received from then on, */
  from: Millis | null
  /** and before then. */
  to: Millis | null
  /** @param source the gateway that would have decided it (CloudEvents `source`); null when that is not known */
  onEvent(event: ThresholdEvent, source: string | null): void
}

/** What came of it; plain JSON. */
export interface RehearsalSummary {
  readings: number
  /** Readings before `from`, or from `to` on. */
  outside: number
  /** Lines and messages that are no readings, and the first few of them. */
  unreadable: number
  faults: readonly string[]
  gateways: number
  /** Of the readings: first and last time of receipt. */
  first: Millis | null
  last: Millis | null
  events: number
  byKind: Record<string, number>
  byRule: Record<string, Record<string, number>>
  /** Rules of which nothing would have been told. */
  silent: readonly string[]
}

const MOST_FAULTS = 5

/**
 * Runs a rule set over a recording. Every gateway decides on what it took in itself, in its own order and time: a recording of
 * several of them is taken apart again.
 */
export class Rehearsal {
  readonly #options: RehearsalOptions
  readonly #gateways = new Map<string | null, Backtest>()
  readonly #byKind = new Map<string, number>()
  readonly #byRule = new Map<string, Map<string, number>>()
  readonly #faults: string[] = []
  #line = 0
  #readings = 0
  #outside = 0
  #unreadable = 0
  #first: Millis | null = null
  #last: Millis | null = null
  #events = 0

  constructor(options: RehearsalOptions) {
    this.#options = options
  }

  get readings(): number {
    return this.#readings
  }

  /** Whether nothing of what was there could be read as a reading. */
  get nothingRead(): boolean {
    return this.#readings + this.#outside === 0
  }

  /** Time of the recording that was gone through. */
  get span(): Millis {
    return (this.#last ?? 0) - (this.#first ?? 0)
  }

  take({ source, lines, faults }: RecordedBatch): void {
    for (const fault of faults) this.#fault(fault)
    for (const line of lines) {
      this.#line++
      if (line.trim() === '') continue
      try {
        this.#reading(line, source)
      } catch (error) {
        if (!(error instanceof DeadLetterError)) throw error
        this.#fault(`line ${this.#line}: ${error.message}`)
      }
    }
  }

  /** Lets time go on behind the last reading. */
  finish(until: Millis): void {
    for (const [source, backtest] of this.#gateways) this.#tell(backtest.advance(until), source)
  }

  summary(): RehearsalSummary {
    const plain = (counts: ReadonlyMap<string, number>) => Object.fromEntries(counts)
    return {
      readings: this.#readings,
      outside: this.#outside,
      unreadable: this.#unreadable,
      faults: this.#faults,
      gateways: this.#gateways.size,
      first: this.#first,
      last: this.#last,
      events: this.#events,
      byKind: plain(this.#byKind),
      byRule: Object.fromEntries([...this.#byRule].map(([rule, counts]) => [rule, plain(counts)])),
      silent: this.#options.rules.ids.filter((id) => !this.#byRule.has(id)),
    }
  }

  #reading(line: string, of: string | null): void {
    const { rules, from, to } = this.#options
    const { reading, source: named } = recordedReading(line)
    const { received } = reading
    if ((from !== null && received < from) || (to !== null && received >= to)) {
      this.#outside++
      return
    }
    this.#readings++
    this.#first = Math.min(this.#first ?? received, received)
    this.#last = Math.max(this.#last ?? received, received)
    const source = of ?? named
    let backtest = this.#gateways.get(source)
    if (!backtest) {
      backtest = new Backtest(rules, `@${source === null ? 'gateway' : gatewayOf(source)}`)
      this.#gateways.set(source, backtest)
    }
    this.#tell(backtest.apply(reading), source)
  }

  #tell(events: readonly ThresholdEvent[], source: string | null): void {
    for (const event of events) {
      this.#events++
      const kind = kindOf(event)
      const rule = ruleOf(event)
      increment(this.#byKind, kind)
      const ofRule = this.#byRule.get(rule) ?? new Map<string, number>()
      this.#byRule.set(rule, ofRule)
      increment(ofRule, kind)
      this.#options.onEvent(event, source)
    }
  }

  #fault(text: string): void {
    this.#unreadable++
    if (this.#faults.length < MOST_FAULTS) this.#faults.push(text)
  }
}

/** The rule behind an alarm, which is called `rule@metric` where one rule watches several metrics; or behind a flood of them. */
function ruleOf({ rule, data }: ThresholdEvent): string {
  if (!rule.startsWith('@')) return rule.split('@', 1)[0] ?? rule
  return typeof data['rule'] === 'string' ? data['rule'] : rule
}

const increment = (counts: Map<string, number>, name: string): void =>
  void counts.set(name, (counts.get(name) ?? 0) + 1)
