import { createHash } from 'node:crypto'
import { decodeLine, type Offset, type Reading } from '../../sync/contract/index.ts'

/** A peer's reading that this gateway had taken in already when it heard of it: its own lane may hold a copy. */
export interface Twin {
  fingerprint: string
  /** Of the peer's. */
  origin: string
  offset: Offset
  /** Own readings from here on are no copies of it: they came after it was heard of. */
  until: Offset
  /** The own copy, once its turn has come: null = it was not found yet. */
  own: { offset: Offset; kept: boolean } | null
  /** The peer's copy is known to be in the stream, although its replica is here no more. */
  left?: boolean
  /** Other origins that were known then, and how far: the other copy may be there. */
  elsewhere?: Readonly<Record<string, Offset>>
}

/** Where twins are kept durably, with the commit that is being gathered. */
export interface TwinStore {
  noteTwin(name: string, value: unknown): void
}

/**
 * What two copies of a reading have in common, however they came: what the device said, without what gateways add. null for
 * one that cannot be told from another (no seq, no id, no time): it has no copies.
 */
export function fingerprint(reading: Reading): string | null {
  const { device, metric, value, unit, time, seq, session, id } = reading
  if (seq === undefined && id === undefined && time === undefined) return null
  const said = JSON.stringify([device, metric, value, unit, time, seq, session, id])
  return createHash('sha256').update(said).digest('base64url').slice(0, 22)
}

/** The fingerprint of a record; null also for what an older version wrote and this one does not understand. */
export function printOf(line: string): string | null {
  try {
    return fingerprint(decodeLine(line))
  } catch {
    return null
  }
}

/** All readings that may have a copy elsewhere. They are rare: those that a device had no answer for when it moved. */
export class Twins {
  readonly #store: TwinStore
  readonly #twins = new Map<string, Map<string, Twin>>()

  constructor(store: TwinStore) {
    this.#store = store
  }

  /** What was stored before a restart. */
  restore(stored: Iterable<unknown>): void {
    for (const twin of stored as Iterable<Twin>) this.#put(twin)
  }

  get any(): boolean {
    return this.#twins.size > 0
  }

  add(twin: Twin): void {
    this.#put(twin)
    this.#store.noteTwin(nameOf(twin), twin)
  }

  /** The copies elsewhere of an own reading. */
  of(fingerprint: string): Twin[] {
    return [...(this.#twins.get(fingerprint)?.values() ?? [])]
  }

  ofOrigin(origin: string): Twin[] {
    return [...this.#twins.values()].flatMap((same) => [...same.values()].filter((twin) => twin.origin === origin))
  }

  notOf(origin: string): Twin[] {
    return [...this.#twins.values()].flatMap((same) => [...same.values()].filter((twin) => twin.origin !== origin))
  }

  /** Own readings that were skipped for a copy, as long as that may matter. */
  skipped(): Offset[] {
    return [...this.#twins.values()].flatMap((same) =>
      [...same.values()].flatMap(({ own }) => (own !== null && !own.kept ? [own.offset] : [])),
    )
  }

  /** The peer's copies at these offsets are in the stream. */
  found(origin: string, offsets: Iterable<Offset>): void {
    const mine = this.ofOrigin(origin)
    if (mine.length === 0) return
    const there = new Set(offsets)
    for (const twin of mine) if (there.has(twin.offset) && !twin.left) this.add({ ...twin, left: true })
  }

  /** The own copy was found, and its fate decided. */
  decide(twin: Twin, offset: Offset, kept: boolean): void {
    this.add({ ...twin, own: { offset, kept } })
  }

  /**
   * Forgets those that nothing depends on any more.
   *
   * @param settled own readings before it have left
   * @param settledOf the same of another origin
   */
  prune(settled: Offset, settledOf: (origin: string) => Offset): void {
    for (const [fingerprint, same] of this.#twins)
      for (const [origin, twin] of [...same]) {
        if (twin.until > settled || (!twin.left && twin.offset >= settledOf(origin))) continue
        // Whoever forwards in place of the others has to know of it.
        if (Object.entries(twin.elsewhere ?? {}).some(([other, head]) => settledOf(other) < head)) continue
        this.#delete(fingerprint, twin)
      }
  }

  /**
   * The replica of an origin is about to go: all of it is in the stream, or was left out.
   *
   * @param isMissing what was left out
   */
  gone(origin: string, isMissing: (offset: Offset) => boolean): void {
    for (const twin of this.notOf(origin))
      if (twin.elsewhere && origin in twin.elsewhere) {
        const { [origin]: _, ...elsewhere } = twin.elsewhere
        this.add({ ...twin, elsewhere })
      }
    for (const twin of this.ofOrigin(origin))
      if (isMissing(twin.offset)) this.#delete(twin.fingerprint, twin)
      else this.add({ ...twin, left: true })
  }

  #delete(fingerprint: string, twin: Twin): void {
    const same = this.#twins.get(fingerprint)
    same?.delete(twin.origin)
    if (same?.size === 0) this.#twins.delete(fingerprint)
    this.#store.noteTwin(nameOf(twin), null)
  }

  #put(twin: Twin): void {
    const same = this.#twins.get(twin.fingerprint)
    if (same) same.set(twin.origin, twin)
    else this.#twins.set(twin.fingerprint, new Map([[twin.origin, twin]]))
  }
}

const nameOf = ({ fingerprint, origin }: Twin): string => `${fingerprint}\0${origin}`
