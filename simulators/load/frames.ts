import { type Millis, UsageError } from '../../sync/contract/index.ts'

/** Counters begin here, so that all of them have the same number of digits and frames can be patched in place. */
export const FIRST_SEQ = 1_000_000_000
const SEQ_DIGITS = 10
const LAST_SEQ = 9_999_999_999
const TIME_DIGITS = 13
const ZERO = 0x30
const DUP = 0x08

export interface FrameOptions {
  topic: string
  device: string
  session: string
  /** Frames that can be in flight: one slot each, packet identifiers 1 to `slots`. */
  slots: number
  /** Series that take turns, at most 1000: the topic then ends with three digits, and these are written over. 1 unless said. */
  series?: number
}

/**
 * Ready-made QoS 1 PUBLISH frames (MQTT 3.1.1 §3.3), one a slot, side by side in one buffer, so that neighbouring slots go
 * out in one write. Sending a reading is writing 27 digits: everything else never changes.
 *
 * A slot's bytes may be touched again as soon as its PUBACK came: the server then has them.
 */
export class FrameRing {
  readonly slots: number
  readonly frameLength: number
  readonly #bytes: Buffer
  readonly #seqAt: number
  readonly #timeAt: number
  readonly #valueAt: number
  /** Where the three digits of the series are. */
  readonly #seriesAt: number
  readonly #series: number
  #turn = 0
  readonly #seqDigits = new Uint8Array(SEQ_DIGITS)
  readonly #timeDigits = new Uint8Array(TIME_DIGITS)
  #seq = FIRST_SEQ - 1
  #time: Millis = 0

  constructor({ topic, device, session, slots, series = 1 }: FrameOptions) {
    if (!(Number.isInteger(slots) && slots >= 1 && slots <= 65_535)) {
      throw new UsageError('LOAD_WINDOW_INVALID', `expected 1 to 65535 publishes in flight, got ${slots}`)
    }
    const seqKey = `{"device":${JSON.stringify(device)},"seq":`
    const timeKey = ',"time":'
    const valueKey = ',"value":'
    const end = `,"unit":"Cel","session":${JSON.stringify(session)}}`
    const payload = `${seqKey}${'0'.repeat(SEQ_DIGITS)}${timeKey}${'0'.repeat(TIME_DIGITS)}${valueKey}20.000${end}`
    const frame = publishFrame(topic, Buffer.from(payload))
    const payloadAt = frame.length - Buffer.byteLength(payload)
    this.#seqAt = payloadAt + Buffer.byteLength(seqKey)
    this.#timeAt = this.#seqAt + SEQ_DIGITS + timeKey.length
    this.#valueAt = this.#timeAt + TIME_DIGITS + valueKey.length
    const idAt = payloadAt - 2
    this.#series = series
    this.#seriesAt = idAt - 3
    this.slots = slots
    this.frameLength = frame.length
    this.#bytes = Buffer.alloc(frame.length * slots)
    for (let slot = 0; slot < slots; slot++) {
      frame.copy(this.#bytes, slot * frame.length)
      this.#bytes.writeUInt16BE(slot + 1, slot * frame.length + idAt)
    }
    writeDigits(this.#seqDigits, this.#seq)
  }

  /** Writes the next reading into a slot, sent for the first time. */
  fill(slot: number, time: Millis): void {
    const start = slot * this.frameLength
    // Every series counts by itself.
    if (this.#turn === 0) this.#nextSeq()
    if (this.#series > 1) this.#takeTurn(start)
    if (time !== this.#time) {
      this.#time = time
      writeDigits(this.#timeDigits, time)
    }
    const bytes = this.#bytes
    bytes[start] = PUBLISH_QOS1
    bytes.set(this.#seqDigits, start + this.#seqAt)
    bytes.set(this.#timeDigits, start + this.#timeAt)
    // 20.000 to 29.999, from the counter's last four digits: another value each time, and cheap.
    const value = start + this.#valueAt
    bytes[value + 1] = this.#seqDigits[SEQ_DIGITS - 4] ?? ZERO
    bytes[value + 3] = this.#seqDigits[SEQ_DIGITS - 3] ?? ZERO
    bytes[value + 4] = this.#seqDigits[SEQ_DIGITS - 2] ?? ZERO
    bytes[value + 5] = this.#seqDigits[SEQ_DIGITS - 1] ?? ZERO
  }

  /** The slot goes out again on another connection ([MQTT-4.4.0-1]): it says so. */
  markDuplicate(slot: number): void {
    this.#bytes[slot * this.frameLength] = PUBLISH_QOS1 | DUP
  }

  /** The bytes of neighbouring slots. */
  frames(firstSlot: number, count: number): Buffer {
    return this.#bytes.subarray(firstSlot * this.frameLength, (firstSlot + count) * this.frameLength)
  }

  #takeTurn(start: number): void {
    const bytes = this.#bytes
    const at = start + this.#seriesAt
    const turn = this.#turn
    bytes[at] = ZERO + Math.floor(turn / 100)
    bytes[at + 1] = ZERO + (Math.floor(turn / 10) % 10)
    bytes[at + 2] = ZERO + (turn % 10)
    this.#turn = turn + 1 === this.#series ? 0 : turn + 1
  }

  #nextSeq(): void {
    if (this.#seq === LAST_SEQ)
      throw new RangeError(`a load connection sends at most ${LAST_SEQ - FIRST_SEQ + 1} readings`)
    this.#seq++
    const digits = this.#seqDigits
    for (let at = SEQ_DIGITS - 1; at >= 0; at--) {
      const digit = (digits[at] ?? ZERO) + 1
      if (digit <= ZERO + 9) {
        digits[at] = digit
        return
      }
      digits[at] = ZERO
    }
  }
}

const PUBLISH_QOS1 = 0x32

/** A QoS 1 PUBLISH with packet identifier 0, to be filled in. */
function publishFrame(topic: string, payload: Buffer): Buffer {
  const name = Buffer.from(topic)
  const rest = Buffer.concat([uint16(name.length), name, uint16(0), payload])
  return Buffer.concat([Buffer.from([PUBLISH_QOS1]), remainingLength(rest.length), rest])
}

export interface ConnectOptions {
  clientId: string
  username?: string
  password?: string
}

/** CONNECT (§3.1) with clean session 0 and no keep-alive. */
export function connectFrame({ clientId, username, password }: ConnectOptions): Buffer {
  const flags = (username === undefined ? 0 : 0x80) | (password === undefined ? 0 : 0x40)
  const fields = [clientId, username, password].filter((field) => field !== undefined)
  const payload = fields.map((field) => Buffer.concat([uint16(Buffer.byteLength(field)), Buffer.from(field)]))
  const rest = Buffer.concat([uint16(4), Buffer.from('MQTT'), Buffer.from([4, flags]), uint16(0), ...payload])
  return Buffer.concat([Buffer.from([0x10]), remainingLength(rest.length), rest])
}

/** DISCONNECT (§3.14). */
export const DISCONNECT: Buffer = Buffer.from([0xe0, 0x00])

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

/** §2.2.3 */
function remainingLength(length: number): Buffer {
  const bytes: number[] = []
  let rest = length
  do {
    const digit = rest % 128
    rest = Math.floor(rest / 128)
    bytes.push(rest > 0 ? digit | 0x80 : digit)
  } while (rest > 0)
  return Buffer.from(bytes)
}

function writeDigits(digits: Uint8Array, value: number): void {
  let rest = value
  for (let at = digits.length - 1; at >= 0; at--) {
    digits[at] = ZERO + (rest % 10)
    rest = Math.floor(rest / 10)
  }
}
