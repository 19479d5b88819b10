import type { Millis, ThresholdEvent } from '../../sync/contract/index.ts'
import type { Era } from './alarm.ts'
import { eventId } from './event.ts'
import type { Origin } from './heard.ts'

/** When so many alarms of one rule within a time are a flood (ISA-18.2: alarm flood). */
export interface FloodLimit {
  /** More than this many raised */
  alarms: number
  /** within this. */
  within: Millis
}

/** What is stored of the watch over one rule; plain data. */
export interface FloodState {
  limit: FloodLimit
  /** When alarms were raised, newest last; no more than it takes to tell a flood. */
  times: Millis[]
  /** null while there is none. */
  flood: { since: Millis; raised: number; devices: Record<string, number> } | null
  /** Numbers what is told of it, as an alarm's transitions are. */
  transition: number
  since: Millis
}

export const calm = (limit: FloodLimit): FloodState => ({ limit, times: [], flood: null, transition: 0, since: 0 })

/** Devices that are named in the summary: those with most alarms, of the first so many that raised one. */
const MOST_DEVICES = 1000
const NAMED_DEVICES = 10

/**
 * Watches over the alarms of one rule.
 *
 *     calm --more than `alarms` within `within`--> flood --no more than half as many--> calm
 *
 * Beginning and end are told as one event each, the end with a summary: whoever is called at night can silence the rest. The alarms
 * themselves are events as ever.
 */
export class FloodWatch {
  readonly name: string
  readonly rule: string
  /** When it is looked at next. */
  queued: Millis | null = null
  dirty: Origin | null = null
  readonly #device: string
  readonly #state: FloodState
  readonly #era: Era

  /** @param device what the gateway calls itself among the devices */
  constructor(rule: string, device: string, state: FloodState, era: Era) {
    this.#era = era
    this.name = JSON.stringify(['flood', '', rule])
    this.rule = rule
    this.#device = device
    this.#state = state
  }

  /** An alarm was raised. */
  raised(device: string, limit: FloodLimit, at: Millis): ThresholdEvent | null {
    this.#state.limit = limit
    const { times, flood } = this.#state
    const { alarms, within } = limit
    // Of an alarm that another gateway decided until now this may be heard late.
    times.push(Math.max(at, times.at(-1) ?? at))
    if (times.length > alarms + 1) times.shift()
    if (flood) {
      flood.raised++
      count(flood.devices, device)
      return null
    }
    const [oldest = 0] = times
    if (times.length <= alarms || oldest <= at - within) return null
    this.#state.flood = { since: oldest, raised: times.length, devices: { [device]: 1 } }
    return this.#tell('began', at, { raised: times.length })
  }

  /** When the flood is over if no more alarms are raised; null when there is none. */
  get due(): Millis | null {
    const { times, flood, limit } = this.#state
    const last = times.at(-1 - this.#calm)
    return flood && last !== undefined ? last + limit.within : null
  }

  /** The gateway's clock has come to `now`. */
  pass(now: Millis): ThresholdEvent | null {
    const { due } = this
    return due === null || due > now ? null : this.end(due)
  }

  /** The flood is over, or its rule is; null when there was none. */
  end(at: Millis): ThresholdEvent | null {
    const { flood } = this.#state
    if (!flood) return null
    this.#state.flood = null
    const devices = Object.entries(flood.devices).sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
    return this.#tell('ended', at, {
      raised: flood.raised,
      since: flood.since,
      devices: Object.fromEntries(devices.slice(0, NAMED_DEVICES)),
    })
  }

  toJSON(): FloodState {
    return this.#state
  }

  /** So many in the window, and it is over. */
  get #calm(): number {
    return Math.floor(this.#state.limit.alarms / 2)
  }

  #tell(kind: 'began' | 'ended', at: Millis, said: Readonly<Record<string, unknown>>): ThresholdEvent {
    const state = this.#state
    if (state.transition++ === 0) state.since = Math.max(at, this.#era.from)
    const { since, transition, limit } = state
    const rule = `@flood:${this.rule}`
    return {
      id: eventId(this.#device, rule, since, transition),
      device: this.#device,
      rule,
      transition,
      since,
      type: `tidegate.flood.${kind}`,
      time: at,
      data: { rule: this.rule, ...limit, ...said },
    }
  }
}

function count(devices: Record<string, number>, device: string): void {
  if (Object.hasOwn(devices, device)) devices[device] = (devices[device] ?? 0) + 1
  else if (Object.keys(devices).length < MOST_DEVICES) devices[device] = 1
}
