/** Sub-buckets of every power of two: a value is known to within 1/32 of itself. */
const STEPS = 32
const STEP_BITS = 5
const BUCKETS = STEPS * 28

/** Latencies in microseconds, in buckets whose width grows with the value: constant memory, cheap to record and to merge. */
export class Histogram {
  readonly #counts: Float64Array
  #total = 0
  #max = 0

  constructor(counts: Float64Array = new Float64Array(BUCKETS), max = 0) {
    this.#counts = counts
    this.#max = max
    for (const count of counts) this.#total += count
  }

  get total(): number {
    return this.#total
  }

  get max(): number {
    return this.#max
  }

  record(micros: number, times = 1): void {
    const value = Math.max(0, Math.round(micros))
    const bucket = Math.min(BUCKETS - 1, bucketOf(value))
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + times
    this.#total += times
    if (value > this.#max) this.#max = value
  }

  merge(other: Histogram): void {
    other.#counts.forEach((count, bucket) => {
      this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count
    })
    this.#total += other.#total
    this.#max = Math.max(this.#max, other.#max)
  }

  /** The value below which the given fraction (0 to 1) of all lies, within 1/32 of itself; 0 when empty. */
  quantile(fraction: number): number {
    let left = Math.ceil(this.#total * fraction)
    if (left <= 0) return 0
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      left -= this.#counts[bucket] ?? 0
      if (left <= 0) return Math.min(this.#max, upperEdge(bucket))
    }
    return this.#max
  }

  copy(): Histogram {
    return new Histogram(this.#counts.slice(), this.#max)
  }

  /** What was recorded since an earlier copy of this was made; its `max` may be the earlier one's. */
  without(earlier: Histogram | undefined): Histogram {
    if (earlier === undefined) return this
    return new Histogram(
      this.#counts.map((count, bucket) => count - (earlier.#counts[bucket] ?? 0)),
      this.#max,
    )
  }

  /** To send it to another thread. */
  toTransfer(): { counts: Float64Array; max: number } {
    return { counts: this.#counts, max: this.#max }
  }
}

/** Below STEPS each value has its bucket; above, the leading STEP_BITS + 1 bits choose it. */
function bucketOf(value: number): number {
  if (value < STEPS) return value
  const exponent = Math.floor(Math.log2(value)) - STEP_BITS
  return STEPS * exponent + Math.floor(value / 2 ** exponent)
}

function upperEdge(bucket: number): number {
  if (bucket < 2 * STEPS) return bucket
  const exponent = Math.floor(bucket / STEPS) - 1
  return (bucket - STEPS * exponent + 1) * 2 ** exponent - 1
}
