import type { ThresholdEvent } from '../../../sync/contract/index.ts'
import { localTime, type Paint, printable } from '../terminal-text.ts'
import { severityStyle } from './severity.ts'

/** What happened, in one word: `raised`, `cleared`, `acknowledge`. */
export const kindOf = ({ type }: ThresholdEvent): string => type.split('.').at(-1) ?? type

const WIDEST = 32

/** Events as lines of text in columns, which grow with what comes and never shrink. */
export class EventTable {
  readonly #paint: Paint
  #device = 12
  #rule = 12

  constructor(paint: Paint) {
    this.#paint = paint
  }

  header(): string {
    return this.#paint('bold', this.#line('TIME', 'SEVERITY', 'DEVICE', 'RULE', 'EVENT', 'MESSAGE'))
  }

  line(event: ThresholdEvent): string {
    const { time, device, rule, data } = event
    const [name, alarm] = [printable(device), printable(rule)]
    this.#device = Math.min(WIDEST, Math.max(this.#device, name.length))
    this.#rule = Math.min(WIDEST, Math.max(this.#rule, alarm.length))
    const severity = typeof data['severity'] === 'string' ? data['severity'] : ''
    const kind = kindOf(event)
    const line = this.#line(localTime(time), severity, name, alarm, kind, printable(saidBy(event)))
    // What is worse than before must be seen; what ends is not urgent.
    return kind === 'raised' || kind === 'changed'
      ? this.#paint(severityStyle(severity), line)
      : kind === 'cleared'
        ? this.#paint('green', line)
        : line
  }

  #line(time: string, severity: string, device: string, rule: string, kind: string, message: string): string {
    const cells = [time.padEnd(23), severity.padEnd(8), device.padEnd(this.#device), rule.padEnd(this.#rule)]
    return [...cells, kind.padEnd(11), message].join('  ').trimEnd()
  }
}

/** The message of an event, and who did it if somebody did. */
function saidBy({ type, data }: ThresholdEvent): string {
  if (type === 'tidegate.rules.changed')
    return `rule set ${data['set']} is at revision ${data['revision']} (${data['rules']} rules)`
  if (type.startsWith('tidegate.flood.')) return `a flood of alarms of rule ${data['rule']}`
  const { message = '', by, comment } = data
  const who = typeof by === 'string' ? `by ${by}` : ''
  const why = typeof comment === 'string' ? `"${comment}"` : ''
  return [message, who, why].filter((part) => part !== '').join(' ')
}
