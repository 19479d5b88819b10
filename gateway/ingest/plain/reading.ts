import type { Bytes, LineBuffer, Millis, Quality, Reading } from '../../../sync/contract/index.ts'
import { MAX_ID } from '../decode/limits.ts'
import { readTime } from '../decode/time.ts'
import { KnownTexts } from '../known-texts.ts'
import { MAX_UNIT, type TopicMatch } from '../topics/index.ts'
import { sameBytes } from '../words.ts'
import { asciiView, LineWriter } from './line-writer.ts'
import { FIELD, type Field, KIND, PlainPayload } from './payload.ts'
import { Shape, type Spot } from './shape.ts'

/** Numbers below are seconds, which have to be converted (see `readTime`). */
const FIRST_MILLIS = 1e11
const LAST_MILLIS = 8.64e15
/** Of a timestamp that is a text. */
const LONGEST_TIME = 40

const QUALITIES: readonly Quality[] = ['good', 'uncertain', 'bad']

const KEYS = {
  unit: asciiView(',"unit":"'),
  time: asciiView(',"time":'),
  received: asciiView(',"received":'),
  seq: asciiView(',"seq":'),
  session: asciiView(',"session":"'),
  life: asciiView(',"life":'),
  id: asciiView(',"id":"'),
  quality: asciiView(',"quality":"'),
}

/** All keys with their quotes, and the numbers that are not in the payload. */
const REST = Object.values(KEYS).reduce((sum, key) => sum + key.byteLength + 1, 0) + 64

const NOTHING = Buffer.alloc(0)
const NO_VIEW = asciiView('')
const QUOTE = asciiView('"')

/** The fields that are numbers, whatever the device. */
const NUMBERS = [FIELD.value, FIELD.time, FIELD.seq] as const

/** How far a device's time may be from the time at which it arrives; see `DecodeLimits`. */
export interface TimeLimits {
  readonly maxFuture: Millis
  readonly maxAge: Millis
}

/** What is remembered of a topic. */
interface Memory {
  shape: Shape | null
  /** How often it was of no use since it last was. */
  misses: number
}

/** A topic whose payloads are different every time is not worth remembering them; but now and then it is tried again. */
const MOST_MISSES = 4
const TRY_AGAIN_AFTER = 64

/** There may be as many of them as there are topics. */
const LONGEST_REMEMBERED: Bytes = 512

/**
 * Plain readings, one after the other: from the bytes of a payload to a reading, and from there to its line, copying what the line
 * has in common with the payload, or with the line before. What comes out is what `decodePayload` and `encodeLine` make of it.
 *
 *     any --read (not null)--> holds a reading: write --...--> any
 *      └----read (null)------> holds nothing
 */
export class PlainReadings {
  readonly #payload = new PlainPayload()
  readonly #texts = new KnownTexts(1024)
  readonly #memories = new WeakMap<TopicMatch, Memory>()
  /** Of the reading that it holds: where its payload is, and the shape that it has, if it is a known one. */
  #data: Buffer = NOTHING
  #view: DataView = NO_VIEW
  #start = 0
  #end = 0
  #shape: Shape | null = null
  /** Its time as the line says it; null when the payload says it in the same way, or not at all. */
  #timeDigits: DataView | null = null
  /** The digits of `received`, which is the same for many. */
  #received: Millis = Number.NaN
  #digits: DataView = NO_VIEW

  /**
   * @param data the payload is `data[start..end)`
   * @param view of `data`
   * @returns null when it is not plain, or something about it needs a closer look: the decoder decides
   */
  read(
    match: TopicMatch,
    data: Buffer,
    view: DataView,
    start: number,
    end: number,
    received: Millis,
    limits: TimeLimits,
  ): Reading | null {
    if (match.bytes === null) return null
    if (this.#data !== data) {
      this.#data = data
      this.#view = view
    }
    this.#start = start
    this.#end = end
    this.#shape = null
    this.#timeDigits = null
    const memory = this.#memories.get(match)
    const shape = memory?.shape ?? null
    if (memory !== undefined && shape?.read(this.#payload, data, view, start, end)) {
      const reading = this.#another(shape.reading, received, limits)
      if (reading !== null) {
        memory.misses = 0
        this.#shape = shape
        return reading
      }
    }
    return this.#payload.read(data, view, start, end) ? this.#fresh(match, received, limits) : null
  }

  /** A reading like one before, with other numbers. */
  #another(before: Readonly<Reading>, received: Millis, limits: TimeLimits): Reading | null {
    const { numbers } = this.#payload
    const reading: Reading = { ...before }
    reading.received = received
    if (typeof before.value === 'number') reading.value = numbers[FIELD.value] ?? 0
    if (before.time !== undefined) {
      const time = this.#time(received, limits)
      if (time === null) return null
      reading.time = time
    }
    if (before.seq !== undefined) {
      const seq = this.#seq()
      if (seq === null) return null
      reading.seq = seq
    }
    return reading
  }

  #fresh(match: TopicMatch, received: Millis, limits: TimeLimits): Reading | null {
    const { kinds, numbers } = this.#payload
    const { device, metric } = match
    if (metric === null) return null
    const kind = kinds[FIELD.value]
    const value = kind === KIND.number ? (numbers[FIELD.value] ?? 0) : kind === KIND.true
    const reading: Reading = { device, metric, value, received }
    if (kinds[FIELD.device] !== KIND.none && !this.#isDevice(match)) return null
    if (kinds[FIELD.unit] !== KIND.none) {
      const unit = this.#text(FIELD.unit, MAX_UNIT)
      if (unit === null) return null
      reading.unit = unit
    } else if (match.unit !== null) reading.unit = match.unit
    if (kinds[FIELD.time] !== KIND.none) {
      const time = this.#time(received, limits) ?? this.#otherTime(received, limits)
      if (time === null) return null
      reading.time = time
    }
    if (kinds[FIELD.seq] !== KIND.none) {
      const seq = this.#seq()
      if (seq === null) return null
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

  /** Room that `write` needs at most. */
  room({ bytes }: TopicMatch): number {
    return bytes === null ? 0 : bytes.size + (this.#end - this.#start) + REST
  }

  /**
   * Writes the line of the reading that was read last, newline included.
   *
   * @param life see `Reading.life`
   * @param into has room for it
   */
  write(match: TopicMatch, reading: Reading, life: number, into: LineBuffer): void {
    const shape = this.#shape
    const digits = this.#digitsOf(reading.received)
    if (shape !== null && shape.life === life) {
      shape.write(this.#payload, this.#view, digits, into)
      return
    }
    // Only its numbers are in the tables.
    if (shape !== null) this.#payload.read(this.#data, this.#view, this.#start, this.#end)
    const start = into.length
    const spots = this.#writeAll(match, digits, life, into)
    // An id is another one every time, and so is a time that has to be worked out.
    if (reading.id === undefined && this.#timeDigits === null && this.#end - this.#start <= LONGEST_REMEMBERED)
      this.#remember(match, reading, life, into.bytes.subarray(start, into.length), spots)
  }

  /** @returns where the numbers stand in the line */
  #writeAll({ bytes: parts }: TopicMatch, digits: DataView, life: number, into: LineBuffer): Spot[] {
    const { kinds } = this.#payload
    const line = new LineWriter(into)
    if (parts === null) return []
    const number = (field: Field): void => line.number(field, this.#view, this.#payload)
    const text = (key: DataView, field: Field): void => {
      if (kinds[field] === KIND.none) return
      line.put(key)
      line.span(this.#view, this.#payload, field)
      line.put(QUOTE)
    }
    line.put(parts.opening)
    number(FIELD.value)
    text(KEYS.unit, FIELD.unit)
    if (kinds[FIELD.unit] === KIND.none) line.put(parts.unit)
    if (kinds[FIELD.time] !== KIND.none) {
      line.put(KEYS.time)
      if (this.#timeDigits === null) number(FIELD.time)
      else line.put(this.#timeDigits)
    }
    line.put(KEYS.received)
    line.received(digits)
    if (kinds[FIELD.seq] !== KIND.none) {
      line.put(KEYS.seq)
      number(FIELD.seq)
    }
    text(KEYS.session, FIELD.session)
    if (life > 1) {
      line.put(KEYS.life)
      line.put(asciiView(`${life}`))
    }
    text(KEYS.id, FIELD.id)
    text(KEYS.quality, FIELD.quality)
    line.put(parts.closing)
    return line.spots
  }

  #remember(match: TopicMatch, reading: Reading, life: number, line: Buffer, lineSpots: readonly Spot[]): void {
    let memory = this.#memories.get(match)
    if (memory === undefined) {
      memory = { shape: null, misses: 0 }
      this.#memories.set(match, memory)
    }
    memory.misses++
    if (memory.misses > MOST_MISSES && memory.misses % TRY_AGAIN_AFTER !== 0) return
    const { kinds, numberStarts, numberEnds } = this.#payload
    const spots = NUMBERS.filter((field) => kinds[field] === KIND.number)
      .map((field) => ({
        field,
        start: (numberStarts[field] ?? 0) - this.#start,
        end: (numberEnds[field] ?? 0) - this.#start,
      }))
      .sort((one, other) => one.start - other.start)
    const { life: _, ...base } = reading
    const bytes = this.#data.subarray(this.#start, this.#end)
    memory.shape = new Shape(base, life, { bytes, spots }, { bytes: line, spots: lineSpots })
  }

  #isDevice({ bytes }: TopicMatch): boolean {
    const { kinds, starts, ends } = this.#payload
    const device = bytes?.device ?? null
    const start = starts[FIELD.device] ?? 0
    const length = (ends[FIELD.device] ?? 0) - start
    if (device === null || kinds[FIELD.device] !== KIND.text || length !== device.byteLength) return false
    return sameBytes(this.#view, start, device, 0, length)
  }

  /** The device's time; null when it is not plainly milliseconds, or absurd. */
  #time(received: Millis, { maxFuture, maxAge }: TimeLimits): Millis | null {
    const time = this.#whole(FIELD.time)
    if (!(time >= FIRST_MILLIS && time <= LAST_MILLIS)) return null
    return time > received + maxFuture || time < received - maxAge ? null : time
  }

  /** The same of seconds, and of a text (RFC 3339). */
  #otherTime(received: Millis, { maxFuture, maxAge }: TimeLimits): Millis | null {
    const { kinds, numbers } = this.#payload
    const said = kinds[FIELD.time] === KIND.number ? numbers[FIELD.time] : this.#freshText(FIELD.time, LONGEST_TIME)
    const time = readTime(said)
    if (!(time <= received + maxFuture && time >= received - maxAge)) return null
    this.#timeDigits = asciiView(JSON.stringify(time))
    return time
  }

  #seq(): number | null {
    const seq = this.#whole(FIELD.seq)
    return seq >= 0 ? seq : null
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
    return (this.#texts.find(this.#view, start, end) ?? this.#texts.learn(this.#view, start, end)).text
  }

  #freshText(field: Field, longest: number): string | null {
    const { kinds, starts, ends } = this.#payload
    const start = starts[field] ?? 0
    const end = ends[field] ?? 0
    if (kinds[field] !== KIND.text || end === start || end - start > longest) return null
    return this.#data.toString('latin1', start, end)
  }

  #digitsOf(received: Millis): DataView {
    if (received !== this.#received) {
      this.#received = received
      this.#digits = asciiView(JSON.stringify(received))
    }
    return this.#digits
  }
}
