import type { ThresholdEvent } from '../../../sync/contract/index.ts'
import type { GatewayApi } from '../../api/index.ts'
import { conditionAfter, kindOf } from './message.ts'

interface ListedAlarm {
  device: string
  rule: string
  condition: string | null
}

/** Whether an alarm's name belongs to a rule: the rule's id, or `id@metric` where one rule watches several metrics. */
export const belongsTo = (name: string, ruleId: string): boolean => name === ruleId || name.startsWith(`${ruleId}@`)

/**
 * Which alarms are beyond their limit at the moment: asked for when the stream of events opens, and kept up to date by the events.
 * For status dots: a flow that must not miss anything takes the events.
 */
export class AlarmList {
  readonly #api: GatewayApi
  readonly #raised = new Map<string, string>()
  readonly #watchers = new Set<() => void>()

  constructor(api: GatewayApi) {
    this.#api = api
  }

  /** How many alarms of a rule are beyond their limit. */
  count(ruleId: string): number {
    let count = 0
    for (const name of this.#raised.values()) if (belongsTo(name, ruleId)) count++
    return count
  }

  /** @returns stops watching */
  watch(changed: () => void): () => void {
    this.#watchers.add(changed)
    return () => this.#watchers.delete(changed)
  }

  take(event: ThresholdEvent): void {
    if (kindOf(event) === null) return
    if (conditionAfter(event) === null) this.#raised.delete(`${event.device}\n${event.rule}`)
    else this.#raised.set(`${event.device}\n${event.rule}`, event.rule)
    for (const changed of this.#watchers) changed()
  }

  /** Asks the gateway. That it does not answer is nothing to do about here: it is asked again when the stream opens again. */
  async refresh(): Promise<void> {
    const alarms = await this.#api.get<ListedAlarm[]>('/alarms').catch(() => null)
    if (!Array.isArray(alarms)) return
    this.#raised.clear()
    for (const { device, rule, condition } of alarms) {
      if (condition !== null) this.#raised.set(`${device}\n${rule}`, rule)
    }
    for (const changed of this.#watchers) changed()
  }
}
