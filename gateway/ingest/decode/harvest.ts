import type { Reading } from '../../../sync/contract/index.ts'
import { clip, type DecodeProblem, problem } from './codes.ts'

/** What became of one message: its readings, and (if a part or all of it was refused) one reason for a dead letter. */
export interface DecodeResult {
  readonly readings: readonly Reading[]
  readonly problem: DecodeProblem | null
}

const NOTES = 5
const REASON = 600

/**
 * Gathers what a message of several parts yields. A part that is refused does not hold up the others; all refusals
 * become one problem with the code of the first.
 */
export class Harvest {
  readonly #readings: Reading[] = []
  readonly #most: number
  readonly #notes: string[] = []
  #refused = 0
  #first: DecodeProblem | null = null

  /** @param most readings that one message may carry, refused ones included: they cost as much */
  constructor(most: number) {
    this.#most = most
  }

  /** True when the message has too many readings: what else it holds does not matter. */
  get overflown(): boolean {
    return this.#readings.length + this.#refused > this.#most
  }

  add(reading: Reading): void {
    this.#readings.push(reading)
  }

  /** @param where the part, as `[3]` or `gps`; empty when it is the whole message */
  refuse(where: string, refusal: DecodeProblem): void {
    this.#first ??= refusal
    this.#refused++
    if (this.#notes.length >= NOTES) return
    this.#notes.push(where === '' ? refusal.reason : `${clip(where, 40)}: ${refusal.code}: ${refusal.reason}`)
  }

  result(): DecodeResult {
    if (this.overflown)
      return refused(problem('PAYLOAD_TOO_MANY_READINGS', `more than ${this.#most} readings in one message`))
    if (this.#first !== null) {
      const more = this.#refused > NOTES ? `; and ${this.#refused - NOTES} more` : ''
      const reason = `${clip(this.#notes.join('; '), REASON)}${more}`
      return { readings: this.#readings, problem: problem(this.#first.code, reason) }
    }
    if (this.#readings.length === 0)
      return refused(problem('PAYLOAD_NO_READINGS', 'expected at least one value, got an empty array or object'))
    return { readings: this.#readings, problem: null }
  }
}

const NOTHING: readonly Reading[] = Object.freeze([])

/** A message that is refused as a whole. */
export function refused(why: DecodeProblem): DecodeResult {
  return { readings: NOTHING, problem: why }
}
