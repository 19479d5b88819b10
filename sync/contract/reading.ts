import type { Millis } from './units.ts'

/** What a sensor can say: a finite number, a truth value, or a short text. */
export type ReadingValue = number | boolean | string

/** How far the device itself trusts the value (OPC UA's three classes of status code). */
export type Quality = 'good' | 'uncertain' | 'bad'

/**
 * One measured value of one metric of one device: one line of NDJSON on disk and on the wire.
 * The key order of a line is the order of the fields below; absent fields are left out.
 */
export interface Reading {
  device: string
  metric: string
  value: ReadingValue
  unit?: string
  /** The device's own timestamp (Unix milliseconds); absent when the device gave none. */
  time?: Millis
  /** When the gateway received it (Unix milliseconds). */
  received: Millis
  /** The device's own counter, if it keeps one. */
  seq?: number
  /** Names one life of the device's counter (boot id); a new one means that `seq` starts again. */
  session?: string
  /**
   * Which life of the counter it is of, as far as the gateway that received it knew: one more than all that it had heard of before. Absent
   * in the first. Tells which of two came later where neither counter nor clock of the device can.
   */
  life?: number
  /** The device's own id for the reading, if it gives one. */
  id?: string
  quality?: Quality
  /** From the topic template's free placeholders, and from the payload. */
  labels?: Readonly<Record<string, string>>
}
