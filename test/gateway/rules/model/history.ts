import type { Action, AlarmState } from '../../../../gateway/rules/lifecycle.ts'
import type { Millis } from '../../../../sync/contract/index.ts'

/** What happened to an alarm: by its readings, by time, by people. */
export type Happened =
  | { kind: 'raise'; condition: string }
  | { kind: 'change'; condition: string; worse: boolean }
  | { kind: 'clear'; latch: boolean }
  | Action

/** The life of an alarm as the list of all that happened to it: every question is answered by looking through the list. */
export class History {
  readonly #all: Happened[] = []

  add(happened: Happened): void {
    this.#all.push(happened)
  }

  get condition(): string | null {
    const last = this.#all.findLast(({ kind }) => kind === 'raise' || kind === 'change' || kind === 'clear')
    return last && 'condition' in last ? last.condition : null
  }

  get acknowledged(): boolean {
    const news = this.#last((one) => one.kind === 'raise' || (one.kind === 'change' && one.worse))
    return this.#last(({ kind }) => kind === 'acknowledge' || kind === 'reset') >= news
  }

  get latched(): boolean {
    const cleared = this.#last((one) => one.kind === 'clear' && one.latch)
    return cleared > this.#last(({ kind }) => kind === 'reset' || kind === 'raise')
  }

  get shelvedUntil(): Millis | null {
    const last = this.#all.findLast(({ kind }) => kind === 'shelve' || kind === 'unshelve')
    return last?.kind === 'shelve' ? last.until : null
  }

  get suppressed(): boolean {
    return this.#last(({ kind }) => kind === 'suppress') > this.#last(({ kind }) => kind === 'unsuppress')
  }

  get outOfService(): boolean {
    return this.#last(({ kind }) => kind === 'removeFromService') > this.#last(({ kind }) => kind === 'returnToService')
  }

  get state(): AlarmState {
    if (this.outOfService) return 'outOfService'
    if (this.suppressed) return 'suppressed'
    if (this.shelvedUntil !== null) return 'shelved'
    if (this.condition !== null) return this.acknowledged ? 'acknowledged' : 'unacknowledged'
    if (!this.acknowledged) return 'returned'
    return this.latched ? 'latched' : 'normal'
  }

  /** Whether somebody can do that now. */
  allows(action: Action): boolean {
    switch (action.kind) {
      case 'acknowledge':
        return !this.acknowledged
      case 'reset':
        return this.latched
      case 'shelve':
        return this.shelvedUntil !== action.until
      case 'unshelve':
        return this.shelvedUntil !== null
      case 'suppress':
        return !this.suppressed
      case 'unsuppress':
        return this.suppressed
      case 'removeFromService':
        return !this.outOfService
      case 'returnToService':
        return this.outOfService
    }
  }

  #last(is: (happened: Happened) => boolean): number {
    return this.#all.findLastIndex(is)
  }
}
