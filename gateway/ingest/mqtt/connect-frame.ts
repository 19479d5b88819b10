import type { Bytes } from '../../../sync/contract/index.ts'
import { checkClientId, checkText, checkTopicName, type TopicLimits } from './topic-text.ts'
import { textViolation, type Violation, violation } from './violation.ts'

export interface ConnectLimits extends TopicLimits {
  maxClientIdBytes: Bytes
}

const FLAG = {
  reserved: 0x01,
  clean: 0x02,
  will: 0x04,
  willQos: 0x18,
  willRetain: 0x20,
  password: 0x40,
  username: 0x80,
}

/**
 * The whole body of a CONNECT, `data[start..end)` (MQTT 3.1.1 §3.1): names, flags that agree with each other, every
 * field inside the packet and nothing after the last. Protocol levels other than 3.1 and 3.1.1 are refused here,
 * so that no parser ever works on the properties of a version we do not speak.
 */
export function checkConnect(data: Buffer, start: number, end: number, limits: ConnectLimits): Violation | null {
  const fields = new Fields(data, start, end)
  const name = fields.take()
  const protocol = name === null ? '' : data.toString('latin1', name.start, name.end)
  if (protocol !== 'MQTT' && protocol !== 'MQIsdp') {
    return violation('PROTOCOL_UNSUPPORTED', "expected the protocol name 'MQTT' (3.1.1) or 'MQIsdp' (3.1)")
  }
  const level = fields.byte()
  if (level !== (protocol === 'MQTT' ? 4 : 3)) {
    return violation(
      'PROTOCOL_UNSUPPORTED',
      `expected MQTT 5, 3.1.1 (level 4) or 3.1 (level 3), came level ${level}`,
      1,
    )
  }
  const flags = fields.byte()
  if (!flagsAgree(flags)) {
    return violation(
      'CONNECT_FLAGS_INVALID',
      `expected connect flags that agree (§3.1.2), came 0x${flags.toString(16)}`,
    )
  }
  fields.skip(2)

  const id = fields.take()
  if (id === null) return shortConnect()
  const idFault = checkClientId(data, id.start, id.end, limits.maxClientIdBytes)
  if (idFault === 'NOT_UTF8' || idFault === 'NUL') return textViolation('CLIENT_ID', idFault, id.end - id.start)
  if (idFault !== null) return textViolation('CLIENT_ID', idFault, id.end - id.start, 2)
  const mayBeEmpty = level === 4 && (flags & FLAG.clean) !== 0
  if (id.start === id.end && !mayBeEmpty) return textViolation('CLIENT_ID', 'EMPTY', 0, 2)

  if ((flags & FLAG.will) !== 0) {
    const topic = fields.take()
    if (topic === null) return shortConnect()
    const fault = checkTopicName(data, topic.start, topic.end, limits)
    if (fault !== null) return textViolation('WILL_TOPIC', fault, topic.end - topic.start)
    if (fields.take() === null) return shortConnect()
  }
  if ((flags & FLAG.username) !== 0) {
    const username = fields.take()
    if (username === null) return shortConnect()
    const fault = checkText(data, username.start, username.end)
    if (fault !== null) return textViolation('USERNAME', fault, username.end - username.start)
  }
  if ((flags & FLAG.password) !== 0 && fields.take() === null) return shortConnect()
  return fields.atEnd() ? null : violation('PACKET_MALFORMED', 'expected CONNECT to end with its last field')
}

function shortConnect(): Violation {
  return violation('PACKET_MALFORMED', 'expected every field of CONNECT inside the packet')
}

/** MQTT-3.1.2-3, -11, -13, -14, -15, -22. */
function flagsAgree(flags: number): boolean {
  if ((flags & FLAG.reserved) !== 0) return false
  if ((flags & FLAG.willQos) === FLAG.willQos) return false
  if ((flags & FLAG.will) === 0 && (flags & (FLAG.willQos | FLAG.willRetain)) !== 0) return false
  return (flags & FLAG.username) !== 0 || (flags & FLAG.password) === 0
}

/** Length-prefixed fields, read in turn; once one does not fit, none does. */
class Fields {
  readonly #data: Buffer
  readonly #end: number
  #at: number

  constructor(data: Buffer, start: number, end: number) {
    this.#data = data
    this.#at = start
    this.#end = end
  }

  take(): { start: number; end: number } | null {
    if (this.#at + 2 > this.#end) return this.#overrun()
    const start = this.#at + 2
    const end = start + this.#data.readUInt16BE(this.#at)
    if (end > this.#end) return this.#overrun()
    this.#at = end
    return { start, end }
  }

  byte(): number {
    const byte = this.#at < this.#end ? this.#data[this.#at] : undefined
    this.#at++
    return byte ?? 0
  }

  skip(bytes: number): void {
    this.#at += bytes
  }

  atEnd(): boolean {
    return this.#at === this.#end
  }

  #overrun(): null {
    this.#at = this.#end + 1
    return null
  }
}
