import type { Millis } from '../../../sync/contract/index.ts'
import { cpuMicros, memoryOf } from '../process-usage.ts'
import { median } from '../statistics.ts'

interface Sample {
  acknowledged: number
  cpu: number | null
  resident: number | null
}

/** What a server takes of the machine. */
export interface Usage {
  /** Processor time a publish, all threads, microseconds; null where there is no /proc. */
  cpu: number | null
  /** Resident memory in megabytes, the median over the run; null where there is no /proc. */
  resident: number | null
}

/** Watches the process of a server while it is loaded, from the end of the warm-up on: connecting and compiling is not its trade. */
export class ServerMeter {
  readonly #pid: number
  readonly #from: Millis
  readonly #onWarm: () => void
  readonly #samples: Promise<Sample>[] = []

  constructor(pid: number, warmUp: Millis, onWarm: () => void) {
    this.#pid = pid
    this.#from = performance.now() + warmUp
    this.#onWarm = onWarm
  }

  /** To be told now and then how many publishes are acknowledged. */
  progressed(acknowledged: number): void {
    if (performance.now() < this.#from) return
    if (this.#samples.length === 0) this.#onWarm()
    this.#samples.push(this.#look(acknowledged))
  }

  async usage(): Promise<Usage> {
    const samples = await Promise.all(this.#samples)
    const [first, last] = [samples[0], samples.at(-1)]
    const resident = samples.flatMap((sample) => (sample.resident === null ? [] : [sample.resident]))
    const acknowledged = (last?.acknowledged ?? 0) - (first?.acknowledged ?? 0)
    const known = first && last && first.cpu !== null && last.cpu !== null && acknowledged > 0
    return {
      cpu: known ? ((last.cpu ?? 0) - (first.cpu ?? 0)) / acknowledged : null,
      resident: resident.length === 0 ? null : median(resident),
    }
  }

  async #look(acknowledged: number): Promise<Sample> {
    const [cpu, memory] = await Promise.all([cpuMicros(this.#pid), memoryOf(this.#pid)])
    return { acknowledged, cpu, resident: memory?.total ?? null }
  }
}
