import type { Random } from '../../sync/runtime/index.ts'

/** Payloads as broken devices send them: none of them can become a reading. `mark` keeps them apart where there is room. */
const KINDS: readonly ((mark: string) => Buffer)[] = [
  // Cut off by a full transmit buffer.
  (mark) => Buffer.from(`{"mark":"${mark}","value":21.`),
  // A C printf of a failed conversion: JSON knows no NaN.
  (mark) => Buffer.from(`{"mark":"${mark}","value":NaN}`),
  () => Buffer.from('nan'),
  // Valid JSON, but no double holds it.
  (mark) => Buffer.from(`{"mark":"${mark}","value":1e999}`),
  (mark) => Buffer.from(`{"mark":"${mark}","value":{"raw":[1,2,3]}}`),
  (mark) => Buffer.from(`{"mark":"${mark}","value":null}`),
  (mark) => Buffer.from(`{"mark":"${mark}","value":1,"seq":"seven"}`),
  (mark) => Buffer.from(`{"mark":"${mark}","value":1,"time":"half past nine"}`),
  (mark) => Buffer.from(`{"mark":"${mark}","value":"${'x'.repeat(4000)}"}`),
  (mark) => Buffer.concat([Buffer.from(mark), Buffer.from([0xc3, 0x28, 0xff, 0xfe])]),
  () => Buffer.alloc(0),
]

/** One of the things that broken devices send. */
export function spoiledPayload(random: Random): Buffer {
  const kind = KINDS[Math.floor(random.next() * KINDS.length)]
  const mark = random.hex(6)
  return kind === undefined ? Buffer.alloc(0) : kind(mark)
}
