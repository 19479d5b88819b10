import { decimal, EXACT_DIGITS } from '../decode/number.ts'
import { viewOf } from '../words.ts'

const QUOTE = 0x22
const COMMA = 0x2c
const MINUS = 0x2d
const POINT = 0x2e
const ZERO = 0x30
const NINE = 0x39
const COLON = 0x3a
const BACKSLASH = 0x5c
const OPEN = 0x7b
const CLOSE = 0x7d

/** Digits that are read at once, as the bytes of one integer. */
const FOUR = 4
const ZEROS = 0x30303030
const SIXES = 0x06060606
const UPPER_HALVES = 0xf0f0f0f0

/** What a payload may say of a reading, as an index into the tables of `PlainPayload`. */
export const FIELD = {
  value: 0,
  time: 1,
  unit: 2,
  seq: 3,
  session: 4,
  id: 5,
  quality: 6,
  device: 7,
} as const

export type Field = (typeof FIELD)[keyof typeof FIELD]

/** Of a line only. */
export const RECEIVED = 8

const FIELDS = 8

/** What stands in a field. */
export const KIND = { none: 0, number: 1, text: 2, true: 3, false: 4 } as const

/** Keys that say nothing here are passed over; longer ones are not worth it. */
const LONGEST_KEY = 32

/** Below this, JSON writes a number with an exponent (ECMA-262 Number::toString). */
const SMALLEST = 1e-6

/** No place in the data. */
const NONE = -1

const UNKNOWN = -1
const UNREADABLE = -2

/**
 * Reads what devices send all day, `{"value":21.5,"time":1767225600000,"unit":"Cel","seq":7}` or a bare `21.5`, in one pass over its
 * bytes, making no object and no string: a table says where each field is. Of numbers it also says where their shortest form is, so
 * that a line can be put together by copying.
 *
 * It is a shortcut, not a second decoder: on anything that is not plain (escapes, bytes that are not ASCII, nested values, null, exponents,
 * more than 15 digits, a key twice, an error) it gives up, and the decoder decides. What it does read, the decoder would read as the same.
 */
export class PlainPayload {
  readonly kinds = new Uint8Array(FIELDS)
  /** Where the field begins in the data: a text behind its quote, a number where its shortest form does. */
  readonly starts = new Int32Array(FIELDS)
  readonly ends = new Int32Array(FIELDS)
  /** Where a number stands as it was written. */
  readonly numberStarts = new Int32Array(FIELDS)
  readonly numberEnds = new Int32Array(FIELDS)
  readonly numbers = new Float64Array(FIELDS)
  #data: Buffer = NOTHING
  #view: DataView = NO_VIEW
  #end = 0
  /** How far it has read. */
  #at = 0

  /**
   * @param view of `data`
   * @returns false when it gives up: the tables hold nothing then
   */
  read(data: Buffer, view: DataView, start: number, end: number): boolean {
    this.kinds.fill(KIND.none)
    this.#use(data, view)
    this.#end = end
    this.#at = start
    const plain = data[start] === OPEN ? this.#object() : this.#value(FIELD.value) && this.#at === end
    return plain && (this.kinds[FIELD.value] ?? 0) !== KIND.none
  }

  /**
   * Reads a number that is known to be there.
   *
   * @returns where it ends; -1 when it gives up
   */
  readNumber(field: Field, data: Buffer, view: DataView, start: number, end: number): number {
    this.#use(data, view)
    this.#at = start
    this.#end = end
    return this.#number(field) ? this.#at : -1
  }

  /** To note that an old object points to a young one costs more than to look whether it does already. */
  #use(data: Buffer, view: DataView): void {
    if (this.#data === data) return
    this.#data = data
    this.#view = view
  }

  #object(): boolean {
    const data = this.#data
    const end = this.#end
    do {
      this.#at++
      this.#skipBlanks()
      if (data[this.#at] !== QUOTE) return false
      const field = this.#key()
      if (field === UNREADABLE) return false
      this.#skipBlanks()
      if (data[this.#at] !== COLON) return false
      this.#at++
      this.#skipBlanks()
      if (!this.#value(field)) return false
      this.#skipBlanks()
      if (this.#at >= end) return false
    } while (data[this.#at] === COMMA)
    if (data[this.#at] !== CLOSE) return false
    this.#at++
    this.#skipBlanks()
    return this.#at === end
  }

  /** Reads a key, from its quote on: its field, or UNKNOWN, or UNREADABLE. Its first four bytes and the next four are compared as integers. */
  #key(): number {
    const data = this.#data
    const end = this.#end
    const start = this.#at + 1
    let at = start
    let head = 0
    let tail = 0
    for (; ; at++) {
      if (at >= end) return UNREADABLE
      const byte = data[at] ?? 0
      if (byte === QUOTE) break
      if (byte < 0x20 || byte > 0x7e || byte === BACKSLASH) return UNREADABLE
      if (at - start < 4) head = (head << 8) | byte
      else tail = (tail << 8) | byte
    }
    this.#at = at + 1
    const length = at - start
    if (length <= 8) return fieldOf(length, head, tail)
    if (length > LONGEST_KEY) return UNREADABLE
    return this.#is(TIMESTAMP, start, at) ? FIELD.time : UNKNOWN
  }

  #is(word: Buffer, start: number, end: number): boolean {
    if (word.length !== end - start) return false
    for (let i = 0; i < word.length; i++) if (this.#data[start + i] !== word[i]) return false
    return true
  }

  /** Reads a value into a field; false when it is not plain, or the field has one. */
  #value(field: number): boolean {
    const { kinds } = this
    if (field >= 0 && (kinds[field] ?? 0) !== KIND.none) return false
    const data = this.#data
    const start = this.#at
    const first = data[start]
    if (first === QUOTE) {
      if (!this.#text() || field === FIELD.value) return false
      if (field < 0) return true
      kinds[field] = KIND.text
      this.starts[field] = start + 1
      this.ends[field] = this.#at - 1
      return true
    }
    if (first === 0x74 || first === 0x66) {
      const kind = this.#truth()
      if (kind === KIND.none) return false
      if (field < 0) return true
      kinds[field] = kind
      this.starts[field] = start
      this.ends[field] = this.#at
      return true
    }
    return this.#number(field)
  }

  #text(): boolean {
    const data = this.#data
    const end = this.#end
    for (let at = this.#at + 1; at < end; at++) {
      const byte = data[at] ?? 0
      if (byte === QUOTE) {
        this.#at = at + 1
        return true
      }
      if (byte < 0x20 || byte > 0x7e || byte === BACKSLASH) return false
    }
    return false
  }

  #truth(): number {
    const data = this.#data
    const at = this.#at
    const isTrue = data[at] === 0x74
    const word = isTrue ? TRUE : FALSE
    if (at + word.length > this.#end || !this.#is(word, at, at + word.length)) return KIND.none
    this.#at = at + word.length
    return isTrue ? KIND.true : KIND.false
  }

  /** RFC 8259 §6 without exponents. */
  #number(field: number): boolean {
    const data = this.#data
    const view = this.#view
    const end = this.#end
    const begin = this.#at
    const start = data[begin] === MINUS ? begin + 1 : begin
    let at = start
    let digits = 0
    let point = NONE
    for (; ; at++) {
      for (; at + FOUR <= end; at += FOUR) {
        // Of a digit, nothing is left in the upper half of its byte; of anything else there is, or there is with 6 added.
        const four = view.getInt32(at, true) ^ ZEROS
        if (((four | (four + SIXES)) & UPPER_HALVES) !== 0) break
        const left = (four & 0xff) * 10 + ((four >> 8) & 0xff)
        digits = digits * 10_000 + left * 100 + ((four >> 16) & 0xff) * 10 + (four >> 24)
      }
      for (; at < end; at++) {
        const byte = data[at] ?? 0
        if (byte < ZERO || byte > NINE) break
        digits = digits * 10 + (byte - ZERO)
      }
      if (point !== NONE || at >= end || data[at] !== POINT) break
      point = at
    }
    const whole = (point === NONE ? at : point) - start
    const decimals = point === NONE ? 0 : at - point - 1
    if (whole === 0 || (whole > 1 && data[start] === ZERO)) return false
    if ((point !== NONE && decimals === 0) || whole + decimals > EXACT_DIGITS) return false
    this.#at = at
    if (field < 0) return true
    const size = decimal(digits, decimals)
    if (digits === 0) {
      // Also for -0, which JSON cannot say.
      this.starts[field] = start
      this.ends[field] = start + 1
      this.numbers[field] = 0
    } else if (size < SMALLEST) return false
    else {
      let last = at
      if (point !== NONE) {
        while (data[last - 1] === ZERO) last--
        if (last - 1 === point) last--
      }
      this.starts[field] = begin
      this.ends[field] = last
      this.numbers[field] = start > begin ? -size : size
    }
    this.numberStarts[field] = begin
    this.numberEnds[field] = at
    this.kinds[field] = KIND.number
    return true
  }

  /** JSON's white space (RFC 8259 §2). */
  #skipBlanks(): void {
    const data = this.#data
    for (; this.#at < this.#end; this.#at++) {
      const byte = data[this.#at] ?? 0
      if (byte > 0x20 || !(byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09)) return
    }
  }
}

const NOTHING = Buffer.alloc(0)
const NO_VIEW = viewOf(NOTHING)
const TRUE = Buffer.from('true')
const FALSE = Buffer.from('false')
const TIMESTAMP = Buffer.from('timestamp')

function pack(text: string): number {
  return Array.from(text).reduce((packed, char) => (packed << 8) | char.charCodeAt(0), 0)
}

const ID = pack('id')
const TS = pack('ts')
const SEQ = pack('seq')
const TIME = pack('time')
const UNIT = pack('unit')
const BOOT = pack('boot')
const [VALU, E] = [pack('valu'), pack('e')]
const [METR, IC] = [pack('metr'), pack('ic')]
const [LABE, LS] = [pack('labe'), pack('ls')]
const [DEVI, CE] = [pack('devi'), pack('ce')]
const [QUAL, ITY] = [pack('qual'), pack('ity')]
const [SESS, ION] = [pack('sess'), pack('ion')]

/** The field of a key by its length, its first four bytes and the rest. What the decoder knows and this does not is UNREADABLE. */
function fieldOf(length: number, head: number, tail: number): number {
  switch (length) {
    case 2:
      return head === ID ? FIELD.id : head === TS ? FIELD.time : UNKNOWN
    case 3:
      return head === SEQ ? FIELD.seq : UNKNOWN
    case 4:
      if (head === TIME) return FIELD.time
      if (head === UNIT) return FIELD.unit
      return head === BOOT ? FIELD.session : UNKNOWN
    case 5:
      return head === VALU && tail === E ? FIELD.value : UNKNOWN
    case 6:
      if (head === DEVI && tail === CE) return FIELD.device
      return (head === METR && tail === IC) || (head === LABE && tail === LS) ? UNREADABLE : UNKNOWN
    case 7:
      if (head === SESS && tail === ION) return FIELD.session
      return head === QUAL && tail === ITY ? FIELD.quality : UNKNOWN
    default:
      return UNKNOWN
  }
}
