/** From MQTT payloads to readings. */
export { DECODE_CODES, type DecodeCode, type DecodeProblem, unknownTopic } from './codes.ts'
export { decodePayload } from './decode.ts'
export type { DecodeResult } from './harvest.ts'
export type { DecodeLimits } from './limits.ts'
export { heed, tooOld } from './said.ts'
