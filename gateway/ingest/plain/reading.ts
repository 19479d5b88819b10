import type { LineBuffer, Millis, Quality, Reading } from '../../../sync/contract/index.ts'
import { MAX_ID } from '../decode/limits.ts'
import { KnownTexts } from '../known-texts.ts'
import { MAX_UNIT, type TopicMatch } from '../topics/index.ts'
import { FIELD, type Field, KIND, PlainPayload } from './payload.ts'

/** Numbers below are seconds, which have to be converted (see `readTime`). */
const FIRST_MILLIS = 1e11
const LAST_MILLIS = 8.64e15

const QUALITIES: readonly Quality[] = ['good', 'uncertain', 'bad']

const KEYS = {
  unit: Buffer.from(',"unit":"'),
  time: Buffer.from(',"time":'),
  received: Buffer.from(',"received":'),
  seq: Buffer.from(',"seq":'),
  session: Buffer.from(',"session":"'),
  life: Buffer.from(',"life":'),
  id: Buffer.from(',"id":"'),
  quality: Buffer.from(',"quality":"'),
}

/** All keys, and the numbers that are not in the payload. */
const REST = Object.values(KEYS).reduce((sum, key) => sum + key.length, 0) + 64

const NOTHING = Buffer.alloc(0)
const QUOTE = 0x22

/** How far a device's time may be from the time at which it arrives; see `DecodeLimits`. */
export interface TimeLimits {
  readonly maxFuture: Millis
  readonly maxAge: Millis
}

/**
 * Plain readings, one after the other: from the bytes of a payload to a reading, and from there to its line, copying what the line
 * has in common with the payload. What comes out is what `decodePayload` and `encodeLine` make of it.
 *
 *     any --read (true)--> holds a reading: write --...--> any
 *      └----read (false)--> holds nothing
 */
export class PlainReadings {
  readonly #payload = new PlainPayload()
  readonly #texts = new KnownTexts(1024)
  #data: Buffer = NOTHING
  /** The digits of `received`, which is the same for many. */
  #received: Millis = Number.NaN
  #receivedDigits: Buffer = NOTHING

  /**
   * @param data the payload is `data[start..end)`
   * @returns null when it is not plain, or something about it needs a closer look: the decoder decides
   */
  read(
    match: TopicMatch,
    data: Buffer,
    start: number,
    end: number,
    received: Millis,
    { maxFuture, maxAge }: TimeLimits,
  ): Reading | null {
    const { metric, bytes, device } = match
    const payload = this.#payload
    if (metric === null || bytes === null || !payload.read(data, start, end)) return null
    const { kinds, numbers } = payload
    this.#data = data
    const kind = kinds[FIELD.value]
    const reading: Reading = {
      device,
      metric,
      value: kind === KIND.number ? (numbers[FIELD.value] ?? 0) : kind === KIND.true,
      received,
    }
    if (kinds[FIELD.device] !== KIND.none && !this.#isDevice(match)) return null
    if (kinds[FIELD.unit] !== KIND.none) {
      const unit = this.#text(FIELD.unit, MAX_UNIT)
      if (unit === null) return null
      reading.unit = unit
    } else if (match.unit !== null) reading.unit = match.unit
    if (kinds[FIELD.time] !== KIND.none) {
      const time = this.#whole(FIELD.time)
      if (!(time >= FIRST_MILLIS && time <= LAST_MILLIS)) return null
      if (time > received + maxFuture || time < received - maxAge) return null
      reading.time = time
    }
    if (kinds[FIELD.seq] !== KIND.none) {
      const seq = this.#whole(FIELD.seq)
      if (!(seq >= 0)) return null
      reading.seq = seq
    }
    if (kinds[FIELD.session] !== KIND.none) {
      const session = this.#text(FIELD.session, MAX_ID)
      if (session === null) return null
      reading.session = session
    }
    if (kinds[FIELD.id] !== KIND.none) {
      const id = this.#freshText(FIELD.id, MAX_ID)
      if (id === null) return null
      reading.id = id
    }
    if (kinds[FIELD.quality] !== KIND.none) {
      const word = this.#text(FIELD.quality, MAX_ID)
      const quality = QUALITIES.find((one) => one === word)
      if (quality === undefined) return null
      reading.quality = quality
    }
    if (match.labels !== null) reading.labels = match.labels
    return reading
  }

  /** Room that `write` may need for the reading. */
  room({ bytes }: TopicMatch, payloadBytes: number): number {
    return bytes === null ? 0 : bytes.opening.length + bytes.unit.length + bytes.closing.length + payloadBytes + REST
  }

  /**
   * Writes the line of the reading that was read last, newline included.
   *
   * @param into has room for it
   * @param life see `Reading.life`
   */
  write({ bytes: parts }: TopicMatch, { received }: Reading, life: number, into: LineBuffer): void {
    if (parts === null) return
    const { kinds, starts, ends } = this.#payload
    const data = this.#data
    const { bytes } = into
    let at = copy(parts.opening, 0, parts.opening.length, bytes, into.length)
    at = copy(data, starts[FIELD.value] ?? 0, ends[FIELD.value] ?? 0, bytes, at)
    if (kinds[FIELD.unit] !== KIND.none) at = this.#quoted(KEYS.unit, FIELD.unit, bytes, at)
    else at = copy(parts.unit, 0, parts.unit.length, bytes, at)
    if (kinds[FIELD.time] !== KIND.none) {
      at = copy(KEYS.time, 0, KEYS.time.length, bytes, at)
      at = copy(data, starts[FIELD.time] ?? 0, ends[FIELD.time] ?? 0, bytes, at)
    }
    at = copy(KEYS.received, 0, KEYS.received.length, bytes, at)
    const digits = this.#digitsOf(received)
    at = copy(digits, 0, digits.length, bytes, at)
    if (kinds[FIELD.seq] !== KIND.none) {
      at = copy(KEYS.seq, 0, KEYS.seq.length, bytes, at)
      at = copy(data, starts[FIELD.seq] ?? 0, ends[FIELD.seq] ?? 0, bytes, at)
    }
    if (kinds[FIELD.session] !== KIND.none) at = this.#quoted(KEYS.session, FIELD.session, bytes, at)
    if (life > 1) {
      at = copy(KEYS.life, 0, KEYS.life.length, bytes, at)
      at += bytes.write(`${life}`, at, 'latin1')
    }
    if (kinds[FIELD.id] !== KIND.none) at = this.#quoted(KEYS.id, FIELD.id, bytes, at)
    if (kinds[FIELD.quality] !== KIND.none) at = this.#quoted(KEYS.quality, FIELD.quality, bytes, at)
    into.length = copy(parts.closing, 0, parts.closing.length, bytes, at)
  }

  #isDevice({ bytes }: TopicMatch): boolean {
    const { kinds, starts, ends } = this.#payload
    const start = starts[FIELD.device] ?? 0
    const length = (ends[FIELD.device] ?? 0) - start
    if (bytes === null || kinds[FIELD.device] !== KIND.text || length !== bytes.deviceEnd - bytes.deviceStart)
      return false
    for (let i = 0; i < length; i++) if (this.#data[start + i] !== bytes.opening[bytes.deviceStart + i]) return false
    return true
  }

  /** A whole number; NaN when it is none. */
  #whole(field: Field): number {
    const { kinds, numbers } = this.#payload
    const number = numbers[field] ?? 0
    return kinds[field] === KIND.number && Number.isInteger(number) ? number : Number.NaN
  }

  /** A text that the device says again and again. */
  #text(field: Field, longest: number): string | null {
    const { kinds, starts, ends } = this.#payload
    const start = starts[field] ?? 0
    const end = ends[field] ?? 0
    if (kinds[field] !== KIND.text || end === start || end - start > longest) return null
    return this.#texts.find(this.#data, start, end) ?? this.#texts.learn(this.#data, start, end)
  }

  #freshText(field: Field, longest: number): string | null {
    const { kinds, starts, ends } = this.#payload
    const start = starts[field] ?? 0
    const end = ends[field] ?? 0
    return kinds[field] !== KIND.text || end === start || end - start > longest
      ? null
      : this.#data.toString('latin1', start, end)
  }

  #quoted(key: Buffer, field: Field, into: Buffer, start: number): number {
    const { starts, ends } = this.#payload
    let at = copy(key, 0, key.length, into, start)
    at = copy(this.#data, starts[field] ?? 0, ends[field] ?? 0, into, at)
    into[at] = QUOTE
    return at + 1
  }

  #digitsOf(received: Millis): Buffer {
    if (received !== this.#received) {
      this.#received = received
      this.#receivedDigits = Buffer.from(JSON.stringify(received))
    }
    return this.#receivedDigits
  }
}

/** @returns behind the copy: for the few bytes of a key or a number, a loop costs less than a call of `Buffer.copy` */
function copy(from: Buffer, start: number, end: number, into: Buffer, at: number): number {
  let to = at
  for (let i = start; i < end; i++) into[to++] = from[i] ?? 0
  return to
}
