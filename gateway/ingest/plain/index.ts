/** The quick way of plain readings, past the decoder. */
export { PlainReadings, type TimeLimits } from './reading.ts'
