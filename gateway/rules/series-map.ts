const NONE: ReadonlyMap<string, never> = new Map<string, never>()

/**
 * Something for each series, by device and metric. Readings of one series often come one behind the other, so the last answer is
 * remembered.
 */
export class SeriesMap<T extends object> {
  readonly #devices = new Map<string, Map<string, T>>()
  #device = ''
  #metric = ''
  /** Of the two above; null when there was nothing, or it may be another by now. */
  #last: T | null = null

  get(device: string, metric: string): T | undefined {
    if (this.#last !== null && metric === this.#metric && device === this.#device) return this.#last
    const found = this.#devices.get(device)?.get(metric)
    if (found === undefined) return undefined
    this.#device = device
    this.#metric = metric
    this.#last = found
    return found
  }

  set(device: string, metric: string, value: T): void {
    this.#last = null
    let metrics = this.#devices.get(device)
    if (!metrics) {
      metrics = new Map()
      this.#devices.set(device, metrics)
    }
    metrics.set(metric, value)
  }

  delete(device: string, metric: string): void {
    this.#last = null
    const metrics = this.#devices.get(device)
    metrics?.delete(metric)
    if (metrics?.size === 0) this.#devices.delete(device)
  }

  clear(): void {
    this.#last = null
    this.#devices.clear()
  }

  /** All of one device, by metric. */
  of(device: string): ReadonlyMap<string, T> {
    return this.#devices.get(device) ?? NONE
  }

  /** All of each device. */
  byDevice(): Iterable<ReadonlyMap<string, T>> {
    return this.#devices.values()
  }
}
