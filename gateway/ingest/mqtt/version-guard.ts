import type { Bytes } from '../../../sync/contract/index.ts'
import type { Guard } from './guard.ts'
import { LEVEL, PROTOCOL_NAME } from './v5/index.ts'
import type { Violation } from './violation.ts'

const NOTHING = Buffer.alloc(0)
const CONNECT = 0x10

/** Reads of a connection's first bytes which version of MQTT it speaks, and hands it to the guard of that version. */
export class VersionGuard implements Guard {
  readonly #choose: (speaks5: boolean) => Guard
  readonly #maxConnectBytes: Bytes
  #chosen: Guard | null = null
  /** What has come so far: less than a dozen bytes. */
  #head: Buffer = NOTHING

  /** @param maxConnectBytes of remaining length: for more, nobody waits */
  constructor(maxConnectBytes: Bytes, choose: (speaks5: boolean) => Guard) {
    this.#maxConnectBytes = maxConnectBytes
    this.#choose = choose
  }

  get state(): Guard['state'] {
    return this.#chosen?.state ?? 'awaiting-connect'
  }

  get passed(): Buffer | null {
    return this.#chosen?.passed ?? null
  }

  push(chunk: Buffer): Violation | null {
    if (this.#chosen !== null) return this.#chosen.push(chunk)
    const head = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk])
    const speaks5 = isVersion5(head, this.#maxConnectBytes)
    if (speaks5 === null) {
      this.#head = Buffer.from(head)
      return null
    }
    this.#head = NOTHING
    this.#chosen = this.#choose(speaks5)
    return this.#chosen.push(head)
  }

  widen(maxPublishBytes: Bytes): void {
    this.#chosen?.widen(maxPublishBytes)
  }
}

/** Whether a stream begins with a CONNECT of MQTT 5; null when that cannot be said yet. */
function isVersion5(bytes: Buffer, maxConnectBytes: Bytes): boolean | null {
  if (bytes.length === 0) return null
  if (bytes[0] !== CONNECT) return false
  let length = 0
  let at = 1
  for (let shift = 0; ; shift += 7) {
    if (shift > 21) return false
    const byte = bytes[at++]
    if (byte === undefined) return null
    length += (byte & 0x7f) << shift
    if (byte < 0x80) break
  }
  for (const expected of [...PROTOCOL_NAME, LEVEL]) {
    const byte = bytes[at++]
    if (byte === undefined) return length > maxConnectBytes ? false : null
    if (byte !== expected) return false
  }
  return true
}
