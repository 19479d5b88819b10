/**
 * Takes the messages out of what a server sends, frame by frame, and lets handshakes and keep-alives pass. It has to see a
 * connection from its first byte, also while nothing is swallowed, to know where frames begin.
 */
export interface FrameFilter {
  /**
   * @param swallow whether messages that begin in this chunk are to be taken out; one that began earlier keeps its fate
   * @returns what may pass, in order; slices of the chunk where possible
   */
  push(chunk: Buffer, swallow: boolean): Buffer[]
}

/** Protocols in which messages can be told from the rest. */
export type Protocol = 'nats' | 'mqtt'

export const frameFilter = (protocol: Protocol): FrameFilter =>
  protocol === 'nats' ? new NatsFilter() : new MqttFilter()

const EMPTY: Buffer = Buffer.alloc(0)

/**
 * NATS client protocol, server to client: control lines end in CRLF, and `MSG subject sid [reply] bytes` and `HMSG subject sid
 * [reply] header-bytes total-bytes` are followed by that many bytes and another CRLF. INFO, PING, PONG, +OK and -ERR pass.
 *
 * States: in a control line (maybe begun in an earlier chunk), or in a payload of which `#payload` bytes are still to come.
 */
class NatsFilter implements FrameFilter {
  /** The beginning of a control line whose end has not come yet. */
  #line: Buffer = EMPTY
  #payload = 0
  #swallowing = false

  push(chunk: Buffer, swallow: boolean): Buffer[] {
    const out: Buffer[] = []
    for (let at = 0; at < chunk.length; ) {
      if (this.#payload > 0) {
        const end = Math.min(chunk.length, at + this.#payload)
        if (!this.#swallowing) out.push(chunk.subarray(at, end))
        this.#payload -= end - at
        at = end
        continue
      }
      const feed = chunk.indexOf(0x0a, at)
      if (feed < 0) {
        this.#line = Buffer.concat([this.#line, chunk.subarray(at)])
        break
      }
      const line =
        this.#line.length === 0
          ? chunk.subarray(at, feed + 1)
          : Buffer.concat([this.#line, chunk.subarray(at, feed + 1)])
      this.#line = EMPTY
      at = feed + 1
      const message = /^H?MSG\s.*\s(\d+)\r?\n$/i.exec(line.toString('latin1'))
      this.#swallowing = swallow && message !== null
      if (message !== null) this.#payload = Number(message[1]) + 2
      if (!this.#swallowing) out.push(line)
    }
    return out
  }
}

/** Packet types (MQTT 3.1.1 §2.2.1) that carry or acknowledge messages: PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP. */
const MQTT_MESSAGES = new Set([3, 4, 5, 6, 7])

/** MQTT 3.1.1 §2.2: one byte of type and flags, the remaining length in one to four bytes, and so many bytes. */
class MqttFilter implements FrameFilter {
  /** A fixed header of which not all bytes have come yet. */
  #header: number[] = []
  #body = 0
  #swallowing = false

  push(chunk: Buffer, swallow: boolean): Buffer[] {
    const out: Buffer[] = []
    for (let at = 0; at < chunk.length; ) {
      if (this.#body > 0) {
        const end = Math.min(chunk.length, at + this.#body)
        if (!this.#swallowing) out.push(chunk.subarray(at, end))
        this.#body -= end - at
        at = end
        continue
      }
      const byte = chunk[at++] ?? 0
      this.#header.push(byte)
      const [first = 0, ...length] = this.#header
      if (length.length === 0 || (byte & 0x80) !== 0) continue
      this.#body = length.reduce((sum, digit, index) => sum + (digit & 0x7f) * 128 ** index, 0)
      this.#swallowing = swallow && MQTT_MESSAGES.has(first >>> 4)
      if (!this.#swallowing) out.push(Buffer.from(this.#header))
      this.#header = []
    }
    return out
  }
}
