import { describeError, type Millis, OperatorError, RetryableError, TidegateError } from '../sync/contract/index.ts'
import { type Clock, pause } from '../sync/runtime/index.ts'
import type { Failover } from './failover/index.ts'
import type { DeviceDoor, LeavePace } from './ingest/mqtt/index.ts'
import type { HandoverReport, HandoverStage, HandoverStatus, Log } from './observe/index.ts'

interface Parts {
  devices: DeviceDoor
  /** null: this gateway is alone. */
  failover: Pick<Failover, 'status' | 'hasAll' | 'rest' | 'leave' | 'comeBack' | 'replicasOfTheGone'> | null
  /** Own records that the centre does not have. */
  pending(): number
  clock: Clock
  log: Log
}

/** How devices are asked to leave: in groups that the peer takes in its stride, */
const PLANNED: LeavePace = { atOnce: 50, pause: 100, patience: 5000 }
/** or in a hurry, when the process has to end. */
const ENDING: LeavePace = { atOnce: 500, pause: 20, patience: 1000 }
/** What a process that has to end gives its devices, and then its peers to catch up. */
const FAREWELL: Millis = 4000
const CATCH_UP: Millis = 1000
const LOOK: Millis = 100

/**
 * Hands a gateway over to its peers, for planned work.
 *
 *     none --begin--> emptying --no device is left--> copying --peers have every record--> leaving --they have heard--> left
 *      ^---------------------- cancelled, out of time, no peer is there any more ----------------------/                |
 *      ^----------------------------------------------- cancelled -----------------------------------------------------/
 */
export class Handover {
  readonly #parts: Parts
  #stage: HandoverStage = 'none'
  /** Devices that were here when it began. */
  #asked = 0
  #running: AbortController | null = null
  /** The process ends: there is no way back. */
  #ending = false

  constructor(parts: Parts) {
    this.#parts = parts
  }

  status(): HandoverStatus {
    const { devices, failover, pending } = this.#parts
    const peers = (failover?.status().peers ?? []).map(({ gateway, present, leaving, behind }) => {
      return { gateway, takesOver: present && !leaving, behind }
    })
    return { stage: this.#stage, asked: this.#asked, devices: devices.count, peers, pending: pending() }
  }

  /** @throws OperatorError `HANDOVER_NO_PEER`; RetryableError `HANDOVER_PEER_AWAY`, `HANDOVER_UNDER_WAY` when it cannot begin now */
  assertPossible(): void {
    if (this.#running || this.#ending)
      throw new RetryableError('HANDOVER_UNDER_WAY', 'a handover is under way: `tidegate handover --cancel` ends it')
    this.#assertPeer()
  }

  /**
   * Resolves when the machine may be switched off.
   *
   * @param signal gives it up: devices are taken again
   * @param progress called now and then
   * @throws as `assertPossible`, RetryableError `HANDOVER_TIMEOUT`, `HANDOVER_CANCELLED`; devices are taken again then
   */
  async begin(timeout: Millis, signal: AbortSignal, progress: () => void): Promise<HandoverReport> {
    const { clock, devices, failover, log } = this.#parts
    this.assertPossible()
    const started = clock.monotonic()
    const running = new AbortController()
    this.#running = running
    const stop = AbortSignal.any([running.signal, signal])
    const stopDeadline = clock.after(timeout, () => running.abort(this.#tooSlow(timeout)))
    let stopWatch = (): void => {}
    const watch = (): void => {
      stopWatch = clock.after(LOOK, watch)
      progress()
      try {
        this.#assertPeer()
      } catch (error) {
        running.abort(error)
      }
    }
    try {
      if (this.#stage !== 'left') {
        this.#asked = devices.count
        log.info({ devices: this.#asked }, 'handing over: no more devices are taken')
        devices.shut()
        this.#stage = 'emptying'
        watch()
        await devices.empty(PLANNED, stop)
        this.#stage = 'copying'
        await this.#untilPeersHaveAll(stop)
        // Alarms that are due by time would go on making events.
        failover?.rest()
        await this.#untilPeersHaveAll(stop)
        this.#stage = 'leaving'
        await failover?.leave()
        stop.throwIfAborted()
        // Two that hand over to each other at the same time have nobody who takes over.
        this.#assertPeer()
        this.#stage = 'left'
      }
      const report = this.#report(clock.monotonic() - started)
      log.warn(report, 'handed over: this machine may be switched off')
      return report
    } catch (error) {
      this.#takeBack()
      const reason = error instanceof TidegateError ? error : cancelled()
      log.warn({ reason: describeError(reason) }, 'the handover was given up: devices are taken again')
      throw reason
    } finally {
      stopDeadline()
      stopWatch()
      this.#running = null
    }
  }

  /** Takes devices again. @returns whether there was anything to take back */
  cancel(): boolean {
    if (this.#running) {
      this.#running.abort(cancelled())
      return true
    }
    if (this.#stage !== 'left') return false
    this.#takeBack()
    this.#parts.log.info({}, 'the handover has ended: devices are taken again')
    return true
  }

  /** The process is about to end: answers devices, waits a moment until peers have all, and tells them. */
  async farewell(): Promise<void> {
    const { clock, devices, failover } = this.#parts
    this.#ending = true
    this.#running?.abort(cancelled())
    devices.shut()
    const late = new AbortController()
    const stopDeadline = clock.after(FAREWELL, () => late.abort())
    await devices.empty(ENDING, late.signal)
    stopDeadline()
    if (!failover || this.#stage === 'left') return
    failover.rest()
    const enough = new AbortController()
    const stopWaiting = clock.after(CATCH_UP, () => enough.abort(cancelled()))
    await this.#untilPeersHaveAll(enough.signal).catch(() => undefined)
    stopWaiting()
    await failover.leave()
  }

  #takeBack(): void {
    this.#stage = 'none'
    if (this.#ending) return
    this.#parts.failover?.comeBack()
    this.#parts.devices.open()
  }

  /** Peers that take devices. */
  #takers(): readonly string[] {
    const peers = this.#parts.failover?.status().peers ?? []
    return peers.filter(({ present, leaving }) => present && !leaving).map(({ gateway }) => gateway)
  }

  #assertPeer(): void {
    const { failover } = this.#parts
    const names = (failover?.status().peers ?? []).map(({ gateway }) => gateway)
    if (!failover || names.length === 0)
      throw new OperatorError(
        'HANDOVER_NO_PEER',
        'this gateway is configured to be alone, so there is nobody to hand over to; see failover.peers in docs/configuration.md',
      )
    if (this.#takers().length === 0)
      throw new RetryableError(
        'HANDOVER_PEER_AWAY',
        `nobody is there to hand over to: ${names.join(', ')} cannot be reached, or has handed over itself; \`tidegate status\` shows more`,
      )
  }

  async #untilPeersHaveAll(signal: AbortSignal): Promise<void> {
    const { clock, failover } = this.#parts
    for (;;) {
      // First: what devices leave behind (wills) comes a little later than they go.
      await pause(clock, LOOK, signal)
      signal.throwIfAborted()
      if (this.#takers().every((peer) => failover?.hasAll(peer))) return
    }
  }

  #report(took: Millis): HandoverReport {
    const { failover, pending } = this.#parts
    return {
      safe: true,
      asked: this.#asked,
      peers: this.#takers(),
      heldByPeers: pending(),
      holdsOfOthers: failover?.replicasOfTheGone() ?? 0,
      took,
    }
  }

  #tooSlow(timeout: Millis): RetryableError {
    const { devices, peers } = this.status()
    const behind = peers.map((peer) => `${peer.gateway} lacks ${peer.behind} records`).join(', ')
    return new RetryableError(
      'HANDOVER_TIMEOUT',
      `not done within ${timeout} ms: ${devices} devices are still here, ${behind}; devices are taken again`,
    )
  }
}

const cancelled = (): RetryableError =>
  new RetryableError('HANDOVER_CANCELLED', 'the handover was given up; devices are taken again')
