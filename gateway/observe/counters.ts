/** Event counts by name, since the process started. The union of names is the list of everything that is counted. */
export class Counters<Name extends string> {
  readonly #counts = new Map<Name, number>()

  increment(name: Name, by = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + by)
  }

  get(name: Name): number {
    return this.#counts.get(name) ?? 0
  }

  toJSON(): Partial<Record<Name, number>> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1))) as Partial<Record<Name, number>>
  }
}
