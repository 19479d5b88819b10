import type { Millis } from '../../sync/contract/index.ts'
import type { Clock, Random } from '../../sync/runtime/index.ts'

/** How a device tells its readings apart, see ADR 3. */
export type Identification = 'session' | 'time' | 'seq and time' | 'id'

/** A gateway as a device sees it: it takes a publish and answers, or the connection breaks. */
export interface Door {
  readonly name: string
  /** null when nobody answers there; else a connection, which ends when the gateway does. */
  connect(client: string, onClosed: () => void): Connection | null
}

export interface Connection {
  /** `acked` is called when the publish is acknowledged; an error means that the connection is cut. */
  publish(payload: string, dup: boolean, acked: (error: Error | null) => void): void
  close(): void
}

/** One reading of the device, as the auditor remembers it. */
export interface Said {
  /** Number within the device's life in this world: 0, 1, 2, ... */
  n: number
  value: number
  payload: string
  /** Name of the gateway that acknowledged it; null = nobody has. */
  ackedBy: string | null
  ackedAt: Millis
}

export interface DeviceOptions {
  name: string
  identification: Identification
  doors: readonly Door[]
  first: number
  clock: Clock
  random: Random
  /** Longest time of a message to a gateway, or of an answer back. */
  latency: Millis
  /** How it chooses where to go when its connection breaks: the next of the list. */
  reconnect: { min: Millis; max: Millis }
  acked(device: SimulatedDevice, said: Said): void
}

/** Publishes in flight, as of an ordinary client. */
const IN_FLIGHT = 5

/**
 * A device with an MQTT client: it numbers its readings, keeps what is not acknowledged, and goes to the next gateway of its
 * list when the connection breaks, where it begins with what it has no answer for.
 *
 *     connected --broken--> waiting --reconnected--> connected ...
 */
export class SimulatedDevice {
  readonly said: Said[] = []
  readonly #options: DeviceOptions
  #at: number
  #connection: Connection | null = null
  #epoch = 0
  /** Sent on this connection, and not acknowledged. */
  #under = new Set<number>()
  /** The oldest that is not acknowledged. */
  #oldest = 0
  /** The oldest that was never sent. */
  #fresh = 0
  #stopped = false
  #newest: Millis = 0
  #lives = 1
  /** Number of the first reading of this life. */
  #bornAt = 0

  constructor(options: DeviceOptions) {
    this.#options = options
    this.#at = options.first
    this.#connect()
  }

  get name(): string {
    return this.#options.name
  }

  get identification(): Identification {
    return this.#options.identification
  }

  /**
   * Whether its readings say themselves in which order they were measured. Of a device with nothing but ids, gateways whose clocks differ
   * cannot tell: its alarm may be wrong until its next reading.
   */
  get saysOrder(): boolean {
    return this.#options.identification !== 'id'
  }

  /** Readings that nobody has acknowledged. */
  get open(): number {
    return this.said.length - this.#oldest
  }

  /** Measures something. */
  measure(value: number): void {
    const { name, identification, clock } = this.#options
    const n = this.said.length
    // Whole milliseconds, and no two readings at the same time: as of a device whose timestamps tell its readings apart.
    const time = Math.max(Math.floor(clock.now()), this.#newest + 1)
    this.#newest = time
    const told = {
      session: { seq: n - this.#bornAt, session: `life-${this.#lives}` },
      time: { time },
      'seq and time': { seq: n - this.#bornAt, time },
      id: { id: `${name}-${n}` },
    }[identification]
    this.said.push({ n, value, payload: JSON.stringify({ value, ...told }), ackedBy: null, ackedAt: 0 })
    this.#pump()
  }

  /** It begins to count anew; what it has not got rid of, it still has. */
  restart(): void {
    this.#lives++
    this.#bornAt = this.said.length
  }

  /** The gateway that it is connected to; null while it is looking for one. */
  get door(): Door | null {
    return this.#connection ? (this.#options.doors[this.#at % this.#options.doors.length] ?? null) : null
  }

  /** Its network drops: the connection is gone, and with it what was on the way. */
  drop(): void {
    this.#broken(this.#epoch)
  }

  stop(): void {
    this.#stopped = true
    this.#connection?.close()
    this.#connection = null
  }

  #connect(): void {
    const { doors, name, clock, random, reconnect } = this.#options
    if (this.#stopped) return
    const epoch = ++this.#epoch
    const door = doors[this.#at % doors.length]
    const connection = door?.connect(name, () => this.#broken(epoch)) ?? null
    if (connection === null) {
      this.#at++
      clock.after(reconnect.min + random.next() * (reconnect.max - reconnect.min), () => this.#connect())
      return
    }
    this.#connection = connection
    this.#under = new Set()
    this.#pump()
  }

  #broken(epoch: number): void {
    const { clock, random, reconnect } = this.#options
    if (epoch !== this.#epoch || this.#connection === null) return
    this.#connection.close()
    this.#connection = null
    this.#epoch++
    this.#at++
    clock.after(reconnect.min + random.next() * (reconnect.max - reconnect.min), () => this.#connect())
  }

  #pump(): void {
    const connection = this.#connection
    if (connection === null) return
    for (let n = this.#oldest; n < this.said.length && this.#under.size < IN_FLIGHT; n++) {
      const said = this.said[n]
      if (!said || said.ackedBy !== null || this.#under.has(n)) continue
      this.#under.add(n)
      this.#send(connection, said, n < this.#fresh)
      this.#fresh = Math.max(this.#fresh, n + 1)
    }
  }

  #send(connection: Connection, said: Said, dup: boolean): void {
    const { clock, random, latency } = this.#options
    const epoch = this.#epoch
    const door = this.#options.doors[this.#at % this.#options.doors.length]
    const delay = random.next() * latency
    // One after the other: a connection keeps the order of what is sent on it.
    this.#arrives = Math.max(this.#arrives, clock.monotonic() + delay)
    clock.after(this.#arrives - clock.monotonic(), () => {
      if (epoch !== this.#epoch) return
      connection.publish(said.payload, dup, (error) => {
        if (error) this.#broken(epoch)
        else
          clock.after(random.next() * latency, () => {
            if (epoch === this.#epoch) this.#acked(said, door?.name ?? '')
          })
      })
    })
  }

  #arrives: Millis = 0

  #acked(said: Said, by: string): void {
    const { clock, acked } = this.#options
    if (said.ackedBy !== null) return
    said.ackedBy = by
    said.ackedAt = clock.now()
    this.#under.delete(said.n)
    while (this.said[this.#oldest] && this.said[this.#oldest]?.ackedBy !== null) this.#oldest++
    acked(this, said)
    this.#pump()
  }
}
