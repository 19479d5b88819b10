import { onTestFinished } from 'vitest'
import { ClockWatch } from '../../../gateway/clock/index.ts'
import type { Batch, PublishSpan } from '../../../gateway/ingest/acceptor.ts'
import type { AdmissionSettings } from '../../../gateway/ingest/admission.ts'
import { Ingest, type IngestCounter, type Publish, Unreleased, type Verdict } from '../../../gateway/ingest/index.ts'
import { compileTopics } from '../../../gateway/ingest/topics/index.ts'
import { viewOf } from '../../../gateway/ingest/words.ts'
import { keeperOf } from '../../../gateway/keeper.ts'
import { Outbox } from '../../../gateway/outbox/index.ts'
import type { Disk } from '../../../gateway/ports/index.ts'
import { ruleSetSchema } from '../../../gateway/rules/index.ts'
import { StateMachine } from '../../../gateway/state/index.ts'
import type { Millis } from '../../../sync/contract/index.ts'
import { type SimulatedClock, systemRandom } from '../../../sync/runtime/index.ts'
import type { FaultyDisk } from '../../support/faulty-disk.ts'
import { OUTBOX_SETTINGS } from '../../support/outbox.ts'

export interface Pipeline {
  ingest: Ingest
  outbox: Outbox
  counts: Partial<Record<IngestCounter, number>>
  /** What was answered, in order: the payload, and the code of the refusal if it was one. */
  answers: string[]
  /** What became of each of them. */
  verdicts: Array<Verdict | undefined>
  publish(payload: string, extra?: Partial<Publish>): void
  /** A sender of plain publishes. Each answer is one of `answers`: the packet identifiers together. */
  sender(): Sender
}

export interface Sender {
  /** @returns whether it was plain */
  plain(payload: string, packetId: number, extra?: Partial<PublishSpan>): boolean
  /** What it sent last went another way. */
  leave(): void
}

/** Everything between the broker and the disk, put together as in the gateway. */
export async function openPipeline(options: {
  disk: Disk
  clock: SimulatedClock
  admission?: Partial<AdmissionSettings>
  rules?: unknown
  maxFuture?: Millis
}): Promise<Pipeline> {
  const { disk, clock } = options
  const machine = new StateMachine({ dedupeWindow: 16, maxSeries: 1000, gateway: 'gw' })
  const unreleased = new Unreleased((name, value) => outbox.attach(name, value))
  const outbox: Outbox = await Outbox.open({
    disk,
    dir: '/data',
    owner: { site: 'site', gateway: 'gw' },
    settings: OUTBOX_SETTINGS,
    clock,
    random: systemRandom,
    keeper: keeperOf(machine, unreleased, clock),
    events: {
      damaged() {},
      evicted() {},
      failed() {},
      recovered() {},
      repaired() {},
      full() {},
      epochStarted() {},
    },
  })
  if (options.rules !== undefined)
    machine.changeRules('main', options.rules, ruleSetSchema.parse(options.rules), clock.now())
  onTestFinished(() => outbox.close().catch(() => undefined))
  const limits = { maxPayload: 10_000, maxReadingsPerMessage: 10, maxFuture: options.maxFuture ?? 1e12, maxAge: 1e15 }
  const counts: Partial<Record<IngestCounter, number>> = {}
  const ingest = new Ingest({
    topics: compileTopics({
      site: 'site',
      templates: [
        { template: 'sensors/{device}/{metric}' },
        { template: 'both/{device}/{metric}', durability: 'replicated' },
      ],
      local: ['local/#'],
    }),
    limits,
    clock: new ClockWatch({ clock, maxFuture: limits.maxFuture, lastCommit: null, changed: () => undefined }),
    admission: { maxPending: 1000, maxPendingBytes: 1e6, ...options.admission },
    machine,
    journal: outbox,
    unreleased,
    heard: () => undefined,
    count: (counter, by = 1) => {
      counts[counter] = (counts[counter] ?? 0) + by
    },
  })
  const answers: string[] = []
  const verdicts: Array<Verdict | undefined> = []
  const publish = (payload: string, extra: Partial<Publish> = {}): void => {
    const message: Publish = {
      clientId: 'c1',
      topic: 'sensors/d1/temp',
      payload: Buffer.from(payload),
      qos: 1,
      dup: false,
      messageId: 1,
      received: clock.now(),
      ...extra,
    }
    ingest.accept(message, (error, verdict) => {
      verdicts.push(verdict)
      const code = error && 'code' in error ? ` ${String(error.code)}` : ''
      answers.push(`${payload}${code}`)
    })
  }
  const sender = (): Sender => {
    let batch: Batch | null = null
    const settled = ({ packetIds, publishes }: Batch, error: Error | null): void => {
      const code = error && 'code' in error ? ` ${String(error.code)}` : ''
      answers.push(`${publishes}: ${packetIds.join(' ')}${code}`)
    }
    return {
      plain(payload, packetId, extra = {}) {
        const data = Buffer.from(`.${payload}.`)
        const span: PublishSpan = {
          ...{ data, view: viewOf(data), topic: 'sensors/d1/temp', payloadStart: 1, end: data.length - 1 },
          ...{ qos: packetId === 0 ? 0 : 1, dup: false, packetId },
          ...extra,
        }
        batch = ingest.acceptPlain(span, clock.now(), batch, settled)
        return batch !== null
      },
      leave() {
        batch = null
      },
    }
  }
  return { ingest, outbox, counts, answers, verdicts, publish, sender }
}

/** Holds back all writes until the returned function is called. */
export function holdWrites(disk: FaultyDisk): () => void {
  let letGo = (): void => {}
  disk.gate = new Promise((resolve) => {
    letGo = () => {
      disk.gate = null
      resolve()
    }
  })
  return letGo
}

/** Everything that is ready to run has its turn. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 12; i++) await new Promise((resolve) => setImmediate(resolve))
}
