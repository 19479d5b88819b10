import { crc32 } from 'node:zlib'
import type { ReadingValue } from '../../sync/contract/index.ts'

const CHUNK = 1024

const float = new Float64Array(1)
const words = new Uint32Array(float.buffer)

/**
 * 32 bits that stand for a value, never 0 (0 means "not known"). Two different values share one with a chance of 2^-32:
 * enough to notice a value that was changed on its way.
 */
export function fingerprint(value: ReadingValue): number {
  if (typeof value !== 'number') return crc32(JSON.stringify(value)) >>> 0 || 1
  // -0 and 0 are one value in JSON.
  float[0] = value + 0
  let hash = Math.imul((words[0] ?? 0) ^ 0x2545f491, 0x9e3779b1) ^ (words[1] ?? 0)
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0 || 1
}

/** Fingerprints by sequence number, 4 bytes each: in chunks, so that growing never copies and a hole costs at most a chunk. */
export class FingerprintStore {
  readonly #chunks = new Map<number, Uint32Array>()

  set(key: number, value: number): void {
    const index = Math.floor(key / CHUNK)
    let chunk = this.#chunks.get(index)
    if (chunk === undefined) {
      chunk = new Uint32Array(CHUNK)
      this.#chunks.set(index, chunk)
    }
    chunk[key % CHUNK] = value
  }

  /** 0 when there is none. */
  get(key: number): number {
    return this.#chunks.get(Math.floor(key / CHUNK))?.[key % CHUNK] ?? 0
  }
}
