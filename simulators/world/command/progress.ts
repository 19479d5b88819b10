import type { Report } from './report.ts'

const EVERY = 2000

/** Counts what is done, and says so now and then on standard error. */
export class Progress {
  readonly #seeds: number
  readonly #started = performance.now()
  #done = 0
  #simulated = 0
  #readings = 0
  #failed = 0
  #saidAt = 0

  constructor(seeds: number) {
    this.#seeds = seeds
  }

  count(reports: readonly Report[]): void {
    for (const { findings, readings, simulated } of reports) {
      this.#done++
      this.#readings += readings
      this.#simulated += simulated
      if (Object.keys(findings).length > 0) this.#failed++
    }
    const now = performance.now()
    if (now - this.#saidAt < EVERY && this.#done < this.#seeds) return
    this.#saidAt = now
    const { perMinute, simulatedHours } = this.summary()
    const found = this.#failed > 0 ? `, ${this.#failed} with findings` : ''
    process.stderr.write(
      `${this.#done} of ${this.#seeds} seeds, ${perMinute} a minute, ${simulatedHours} simulated hours${found}\n`,
    )
  }

  summary() {
    const seconds = (performance.now() - this.#started) / 1000
    return {
      seeds: this.#done,
      failed: this.#failed,
      readings: this.#readings,
      simulatedHours: Math.round(this.#simulated / 360_000) / 10,
      seconds: Math.round(seconds * 10) / 10,
      perMinute: Math.round((this.#done / seconds) * 60),
    }
  }
}
