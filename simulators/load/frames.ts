import { type Millis, UsageError } from '../../sync/contract/index.ts'
import type { MqttVersion } from '../fleet/index.ts'
import { PUBLISH_QOS1, publishFrame } from './packets.ts'
import { type LoadForm, layoutOf } from './payloads.ts'

/** Counters begin here, so that all of them have the same number of digits and frames can be patched in place. */
export const FIRST_SEQ = 1_000_000_000
const SEQ_DIGITS = 10
const LAST_SEQ = 9_999_999_999
const TIME_DIGITS = 13
/** Of the time in milliseconds: whole seconds. */
const SECONDS_DIGITS = 10
const ZERO = 0x30
const DUP = 0x08
/** Where a payload has none of these digits. */
const NOWHERE = -1

export interface FrameOptions {
  topic: string
  device: string
  /** Names the first reading in forms whose payload does. */
  metric?: string
  session: string
  /** Frames that can be in flight: one slot each, packet identifiers 1 to `slots`. */
  slots: number
  /** Series that take turns, at most 1000: the topic then ends with three digits, and these are written over. 1 unless said. */
  series?: number
  /** `object` unless said. */
  form?: LoadForm
  /** 4 (MQTT 3.1.1) unless said. */
  version?: MqttVersion
}

/**
 * Ready-made QoS 1 PUBLISH frames (§3.3), one a slot, side by side in one buffer, so that neighbouring slots go out in one
 * write. Sending one is writing 4 to 39 digits, depending on the form: everything else never changes.
 *
 * A slot's bytes may be touched again as soon as its PUBACK came: the server then has them.
 */
export class FrameRing {
  readonly slots: number
  readonly frameLength: number
  readonly #bytes: Buffer
  readonly #seqAt: number
  readonly #timeAt: number
  /** Where the milliseconds stand that a point parts from the seconds. */
  readonly #fractionAt: number
  readonly #valuesAt: readonly number[]
  /** Only its time tells a reading of this form from the one before. */
  readonly #distinctTimes: boolean
  /** Where the three digits of the series are. */
  readonly #seriesAt: number
  readonly #series: number
  #turn = 0
  readonly #seqDigits = new Uint8Array(SEQ_DIGITS)
  readonly #timeDigits = new Uint8Array(TIME_DIGITS)
  readonly #secondsDigits = this.#timeDigits.subarray(0, SECONDS_DIGITS)
  readonly #fractionDigits = this.#timeDigits.subarray(SECONDS_DIGITS)
  #seq = FIRST_SEQ - 1
  #time: Millis = 0

  constructor(options: FrameOptions) {
    const { topic, device, metric = 'temperature', session, slots, series = 1, form = 'object', version = 4 } = options
    if (!(Number.isInteger(slots) && slots >= 1 && slots <= 65_535)) {
      throw new UsageError('LOAD_WINDOW_INVALID', `expected 1 to 65535 publishes in flight, got ${slots}`)
    }
    const layout = layoutOf(form, { device, metric, session })
    const { frame, idAt, payloadAt } = publishFrame(version, topic, layout.bytes)
    const inSeconds = layout.time?.as === 'seconds'
    this.#seqAt = layout.seqAt === null ? NOWHERE : payloadAt + layout.seqAt
    this.#timeAt = layout.time === null ? NOWHERE : payloadAt + layout.time.at
    this.#fractionAt = inSeconds ? this.#timeAt + SECONDS_DIGITS + 1 : NOWHERE
    this.#distinctTimes = layout.seqAt === null && layout.time !== null
    this.#valuesAt = layout.valuesAt.map((at) => payloadAt + at)
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
  fill(slot: number, now: Millis): void {
    const bytes = this.#bytes
    const start = slot * this.frameLength
    // Every series counts by itself.
    if (this.#turn === 0) this.#nextSeq()
    if (this.#series > 1) this.#takeTurn(start)
    bytes[start] = PUBLISH_QOS1
    if (this.#seqAt !== NOWHERE) bytes.set(this.#seqDigits, start + this.#seqAt)
    if (this.#timeAt !== NOWHERE) this.#fillTime(start, now)
    // 20.000 to 29.999, from the counter's last four digits: another value each time, and cheap.
    const digits = this.#seqDigits
    for (const at of this.#valuesAt) {
      const value = start + at
      bytes[value + 1] = digits[SEQ_DIGITS - 4] ?? ZERO
      bytes[value + 3] = digits[SEQ_DIGITS - 3] ?? ZERO
      bytes[value + 4] = digits[SEQ_DIGITS - 2] ?? ZERO
      bytes[value + 5] = digits[SEQ_DIGITS - 1] ?? ZERO
    }
  }

  /** The slot goes out again on another connection ([MQTT-4.4.0-1]): it says so. */
  markDuplicate(slot: number): void {
    this.#bytes[slot * this.frameLength] = PUBLISH_QOS1 | DUP
  }

  /** The bytes of neighbouring slots. */
  frames(firstSlot: number, count: number): Buffer {
    return this.#bytes.subarray(firstSlot * this.frameLength, (firstSlot + count) * this.frameLength)
  }

  #fillTime(start: number, now: Millis): void {
    // A device that samples more often than its clock ticks: the next millisecond is as good as another name.
    const time = this.#distinctTimes && now <= this.#time ? this.#time + 1 : now
    if (time !== this.#time) {
      this.#time = time
      writeDigits(this.#timeDigits, time)
    }
    if (this.#fractionAt === NOWHERE) this.#bytes.set(this.#timeDigits, start + this.#timeAt)
    else {
      this.#bytes.set(this.#secondsDigits, start + this.#timeAt)
      this.#bytes.set(this.#fractionDigits, start + this.#fractionAt)
    }
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

function writeDigits(digits: Uint8Array, value: number): void {
  let rest = value
  for (let at = digits.length - 1; at >= 0; at--) {
    digits[at] = ZERO + (rest % 10)
    rest = Math.floor(rest / 10)
  }
}
