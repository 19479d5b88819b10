import type { Bytes } from '../../sync/contract/index.ts'

export interface AdmissionSettings {
  /** Publishes that may wait for the disk. */
  maxPending: number
  maxPendingBytes: Bytes
}

/** From this share of the bounds on, QoS 0 is shed. */
const SHED_AT = 0.5

/**
 * Bounds what waits for the disk. QoS 0 is shed first, being the only kind that its sender does not expect to survive;
 * above the bound nothing more is taken in, so that nothing more is read from the sockets.
 */
export class Admission {
  readonly #settings: AdmissionSettings
  #pending = 0
  #bytes: Bytes = 0

  constructor(settings: AdmissionSettings) {
    this.#settings = settings
  }

  enter(bytes: Bytes): void {
    this.#pending++
    this.#bytes += bytes
  }

  /** @param bytes of all the publishes that leave */
  leave(bytes: Bytes, publishes = 1): void {
    this.#pending -= publishes
    this.#bytes -= bytes
  }

  get idle(): boolean {
    return this.#pending === 0
  }

  /** QoS 0 goes. */
  get overloaded(): boolean {
    return this.#over(SHED_AT)
  }

  /** Nothing more is taken in. */
  get closed(): boolean {
    return this.#over(1)
  }

  #over(share: number): boolean {
    const { maxPending, maxPendingBytes } = this.#settings
    return this.#pending >= maxPending * share || this.#bytes >= maxPendingBytes * share
  }
}
