import type { Bytes } from '../../../sync/contract/index.ts'
import { isText, type KnownText, KnownTexts } from '../known-texts.ts'
import { viewOf } from '../words.ts'
import { type ConnectLimits, checkConnect } from './connect-frame.ts'
import { append } from './held-bytes.ts'
import { PACKET } from './packet-types.ts'
import { checkFilters, type FilterLimits } from './subscribe-frame.ts'
import { checkTopicName } from './topic-text.ts'
import { textViolation, type Violation, violation } from './violation.ts'

/** The limits a guard enforces; sizes are remaining lengths (MQTT 3.1.1 §2.2.3). */
export interface FrameLimits extends ConnectLimits, FilterLimits {
  maxConnectBytes: Bytes
  maxPublishBytes: Bytes
  maxSubscribeBytes: Bytes
}

/** Where one whole PUBLISH lies in `data`. The object and the bytes are valid only during the call. */
export interface PublishFrame {
  data: Buffer
  /** Of `data`. */
  view: DataView
  /** The payload is `data[payloadStart..end)`. */
  end: number
  /** No wildcard, within the limits. */
  topic: string
  /** 0 for QoS 0. */
  packetId: number
  payloadStart: number
  qos: 0 | 1 | 2
  dup: boolean
}

/** Takes PUBLISH frames out of the stream: the guard knows everything about them before a parser sees a byte. */
export interface FrameSink {
  /**
   * Whether it takes the next PUBLISH. One that it takes is held until it is whole, and asked about once more then; one that
   * it does not take passes like any other frame.
   */
  takes(qos: 0 | 1 | 2, retain: boolean): boolean
  onTaken(frame: PublishFrame): void
  /** A PUBLISH that was not taken passes. */
  onLeft(): void
  /** `push` has taken one or more. */
  onChunk(): void
}

/** Flag bits a client has to send with each packet type (MQTT-2.2.2-1); -1 = no client may send the type. */
const FLAGS: readonly number[] = [-1, 0, -1, 0, 0, 0, 2, 0, 2, -1, 2, -1, 0, -1, 0, -1]

const INCOMPLETE = -1
const REFUSED = -2
const NOTHING = Buffer.alloc(0)
const NO_VIEW = viewOf(NOTHING)

/**
 * Scans a client's byte stream for MQTT 3.1.1 frames before any parser sees it, and lets bytes pass only when the
 * checks that concern them have passed: a whole control packet, or a PUBLISH up to its payload (which streams).
 * So it holds at most one control packet or one PUBLISH header, and an oversized packet is refused after its fixed
 * header. Whole frames in a chunk pass as that chunk: no copy. With a sink, a PUBLISH that it takes does not pass, and is
 * held until it is whole.
 *
 *     awaiting-connect ── CONNECT ──▶ open ── DISCONNECT ──▶ ended (what follows is dropped, MQTT-3.14.4-2)
 *            └───────── violation ─────┴────▶ refused (final)
 */
export class FrameGuard {
  readonly #limits: FrameLimits
  readonly #sink: FrameSink | undefined
  readonly #topics: KnownTexts
  #state: 'awaiting-connect' | 'open' | 'ended' | 'refused' = 'awaiting-connect'
  /** Payload bytes of the current PUBLISH that are still to come. */
  #payloadLeft = 0
  /** Start of a frame that cannot be judged yet: the first `#heldLength` bytes of `#held`, judged again at `#needed`. */
  #held: Buffer = NOTHING
  #heldLength = 0
  #needed = 0
  #passed: Buffer | null = null
  /** The last frame judged went to the sink. */
  #took = false
  /** Shown to the sink, one object for all frames. */
  readonly #found: PublishFrame = {
    data: NOTHING,
    view: NO_VIEW,
    end: 0,
    topic: '',
    packetId: 0,
    payloadStart: 0,
    qos: 0,
    dup: false,
  }
  #tookAny = false
  /** The topic of the last one: devices have few. */
  #topic: KnownText | null = null
  #violation: Violation | null = null
  #maxPublishBytes: Bytes

  /** @param topics of frames that the sink takes; may be shared by guards with the same limits */
  constructor(limits: FrameLimits, sink?: FrameSink, topics: KnownTexts = new KnownTexts(16)) {
    this.#limits = limits
    this.#maxPublishBytes = limits.maxPublishBytes
    this.#sink = sink
    this.#topics = topics
  }

  get state(): 'awaiting-connect' | 'open' | 'ended' | 'refused' {
    return this.#state
  }

  /** What the last `push` allowed to pass, in order; null when nothing did. */
  get passed(): Buffer | null {
    return this.#passed
  }

  /** Bytes held back because their frame cannot be judged yet. */
  get heldBytes(): Bytes {
    return this.#heldLength
  }

  /** This client may send larger publishes than others; from the next frame on. */
  widen(maxPublishBytes: Bytes): void {
    this.#maxPublishBytes = maxPublishBytes
  }

  /** Takes the next bytes of the stream. After a violation nothing passes any more. */
  push(chunk: Buffer): Violation | null {
    this.#passed = null
    if (this.#state === 'refused') return this.#violation
    if (this.#state === 'ended') return null
    const fault = this.#take(chunk)
    if (this.#tookAny) {
      this.#tookAny = false
      // Or it would keep the chunk alive.
      this.#found.data = NOTHING
      this.#found.view = NO_VIEW
      this.#sink?.onChunk()
    }
    return fault
  }

  #take(chunk: Buffer): Violation | null {
    let at = 0
    while (this.#heldLength > 0) {
      const wanted = this.#needed - this.#heldLength
      if (at + wanted > chunk.length) {
        this.#hold(chunk.subarray(at))
        return null
      }
      this.#hold(chunk.subarray(at, at + wanted))
      at += wanted
      const head = this.#held.subarray(0, this.#heldLength)
      this.#release()
      const fault = this.#scan(head)
      if (fault !== null) return fault
    }
    if (at === chunk.length || this.#state === 'ended') return null
    return this.#scan(at === 0 ? chunk : chunk.subarray(at))
  }

  #scan(data: Buffer): Violation | null {
    let at = 0
    /** What passes begins here, and has not been passed on yet. */
    let pass = 0
    if (this.#payloadLeft > 0) {
      at = Math.min(this.#payloadLeft, data.length)
      this.#payloadLeft -= at
    }
    while (at < data.length && this.#state !== 'ended') {
      const next = this.#frame(data, at)
      if (next === REFUSED) {
        this.#state = 'refused'
        this.#release()
        this.#passed = null
        return this.#violation
      }
      if (next === INCOMPLETE) {
        this.#hold(data.subarray(at))
        break
      }
      if (this.#took) {
        this.#took = false
        this.#pass(data, pass, at)
        pass = next
      }
      at = next
    }
    this.#pass(data, pass, at)
    return null
  }

  #pass(data: Buffer, start: number, end: number): void {
    if (start === end) return
    const bytes = start === 0 && end === data.length ? data : data.subarray(start, end)
    this.#passed = this.#passed === null ? bytes : Buffer.concat([this.#passed, bytes])
  }

  /** Judges the frame at `start`: where the next one begins, or INCOMPLETE (`#needed` set), or REFUSED. */
  #frame(data: Buffer, start: number): number {
    const first = data[start] ?? 0
    const type = first >> 4
    const flags = first & 0x0f
    if (type === PACKET.publish) {
      if ((flags & 0x06) === 0x06) return this.#refuse('QOS_INVALID', 'expected QoS 0, 1 or 2, came 3 (MQTT-3.3.1-4)')
      if ((flags & 0x0e) === 0x08) return this.#refuse('DUP_WITHOUT_QOS', 'expected no DUP with QoS 0 (MQTT-3.3.1-2)')
    } else if (FLAGS[type] !== flags) {
      if (FLAGS[type] === -1) return this.#refuse('PACKET_TYPE_FORBIDDEN', `no client may send packet type ${type}`)
      return this.#refuse('FLAGS_RESERVED', `packet type ${type} with flags ${flags} (MQTT-2.2.2-2)`)
    }
    if ((type === PACKET.connect) !== (this.#state === 'awaiting-connect')) {
      if (type === PACKET.connect) return this.#refuse('SECOND_CONNECT', 'expected one CONNECT only (MQTT-3.1.0-2)')
      return this.#refuse('FIRST_NOT_CONNECT', `expected CONNECT first, came packet type ${type} (MQTT-3.1.0-1)`)
    }

    let body = start + 2
    let length = data[start + 1] ?? 0x80
    if (length > 0x7f) {
      length &= 0x7f
      for (let shift = 7; ; shift += 7, body++) {
        if (shift > 21)
          return this.#refuse('LENGTH_MALFORMED', 'expected a remaining length of at most 4 bytes (§2.2.3)')
        if (body >= data.length) return this.#await(data.length - start + 1)
        const byte = data[body] ?? 0
        length += (byte & 0x7f) << shift
        if (byte < 0x80) break
      }
      body++
    }
    return type === PACKET.publish
      ? this.#publish(data, start, body, length, flags)
      : this.#control(data, start, body, length, type)
  }

  #publish(data: Buffer, start: number, body: number, length: number, flags: number): number {
    if (length > this.#maxPublishBytes) return this.#tooLarge('PUBLISH', length, this.#maxPublishBytes)
    const qos = ((flags >> 1) & 3) as 0 | 1 | 2
    const idLength = qos === 0 ? 0 : 2
    if (length < 2 + idLength)
      return this.#refuse('PACKET_MALFORMED', `PUBLISH of ${length} bytes has no room for a topic`)
    const topicStart = body + 2
    if (topicStart > data.length) return this.#await(topicStart - start)
    const topicLength = ((data[body] ?? 0) << 8) | (data[body + 1] ?? 0)
    const topicEnd = topicStart + topicLength
    const payloadStart = topicEnd + idLength
    const end = body + length
    if (payloadStart > end) return this.#refuse('PACKET_MALFORMED', 'expected the topic of PUBLISH inside the packet')
    if (topicLength > this.#limits.maxTopicBytes) return this.#fail(textViolation('TOPIC', 'TOO_LONG', topicLength))
    if (payloadStart > data.length) return this.#await(payloadStart - start)

    const sink = this.#sink
    const takes = sink?.takes(qos, (flags & 0x01) !== 0) ?? false
    const known = takes ? this.#known(data, topicStart, topicEnd) : null
    const fault = known === null ? checkTopicName(data, topicStart, topicEnd, this.#limits) : null
    if (fault !== null) return this.#fail(textViolation('TOPIC', fault, topicLength))
    const packetId = qos === 0 ? 0 : ((data[topicEnd] ?? 0) << 8) | (data[topicEnd + 1] ?? 0)
    if (qos !== 0 && packetId === 0)
      return this.#refuse('PACKET_ID_ZERO', 'expected a packet identifier, came 0 (MQTT-2.3.1-1)')

    if (sink !== undefined && takes) {
      if (end > data.length) return this.#await(end - start)
      const found = this.#found
      found.end = end
      this.#topic = known ?? this.#topics.learn(found.view, topicStart, topicEnd)
      found.topic = this.#topic.text
      found.packetId = packetId
      found.payloadStart = payloadStart
      found.qos = qos
      found.dup = (flags & 0x08) !== 0
      this.#took = true
      this.#tookAny = true
      sink.onTaken(found)
      return end
    }
    sink?.onLeft()
    if (end <= data.length) return end
    this.#payloadLeft = end - data.length
    return data.length
  }

  #known(data: Buffer, start: number, end: number): KnownText | null {
    const found = this.#found
    if (found.data !== data) {
      found.data = data
      found.view = viewOf(data)
    }
    const { view } = found
    const last = this.#topic
    return last !== null && isText(last, view, start, end) ? last : this.#topics.find(view, start, end)
  }

  #control(data: Buffer, start: number, body: number, length: number, type: number): number {
    const largest = this.#largest(type)
    if (length > largest) return this.#tooLarge(`packet type ${type}`, length, largest)
    const end = body + length
    if (end > data.length) return this.#await(end - start)

    let fault: Violation | null = null
    switch (type) {
      case PACKET.connect:
        fault = checkConnect(data, body, end, this.#limits)
        if (fault === null) this.#state = 'open'
        break
      case PACKET.subscribe:
      case PACKET.unsubscribe:
        fault = checkFilters(data, body, end, type === PACKET.subscribe, this.#limits)
        break
      case PACKET.pingreq:
        break
      case PACKET.disconnect:
        this.#state = 'ended'
        break
      default:
        if (length !== 2)
          fault = violation('PACKET_MALFORMED', `expected 2 bytes in packet type ${type}, came ${length}`)
        else if (data.readUInt16BE(body) === 0)
          fault = violation('PACKET_ID_ZERO', 'expected a packet identifier, came 0')
    }
    return fault === null ? end : this.#fail(fault)
  }

  #largest(type: number): Bytes {
    if (type === PACKET.connect) return this.#limits.maxConnectBytes
    if (type === PACKET.subscribe || type === PACKET.unsubscribe) return this.#limits.maxSubscribeBytes
    return type === PACKET.pingreq || type === PACKET.disconnect ? 0 : 2
  }

  #await(bytes: number): number {
    this.#needed = bytes
    return INCOMPLETE
  }

  #tooLarge(what: string, length: number, limit: number): number {
    return this.#refuse('PACKET_TOO_LARGE', `expected at most ${limit} bytes in ${what}, came ${length}`)
  }

  #refuse(code: Violation['code'], message: string): number {
    return this.#fail(violation(code, message))
  }

  #fail(fault: Violation): number {
    this.#violation = fault
    return REFUSED
  }

  #hold(bytes: Buffer): void {
    this.#held = append(this.#held, this.#heldLength, bytes, this.#needed)
    this.#heldLength += bytes.length
  }

  #release(): void {
    this.#held = NOTHING
    this.#heldLength = 0
  }
}
