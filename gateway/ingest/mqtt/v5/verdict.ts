import type { Verdict } from '../../acceptor.ts'
import { REASON, type Reason } from './reason.ts'

/** What the sender of a publish is told (MQTT 5 §3.4.2.1). */
export interface Told {
  reason: Reason
  /** For people; absent where there is nothing to add. */
  text?: string
}

const OK: Told = Object.freeze({ reason: REASON.success })
const NOBODY: Told = Object.freeze({ reason: REASON.noMatchingSubscribers })

const SHED: Told = Object.freeze({ reason: REASON.quotaExceeded, text: 'SHED: dropped under load, being QoS 0' })

/** Reasons of dead letters that are about the topic, not about the payload. */
const ABOUT_THE_TOPIC: ReadonlySet<string> = new Set(['TOPIC_UNKNOWN', 'DEVICE_INVALID', 'METRIC_MISSING'])

/**
 * What to tell of a publish that has been decided, and is durable where it has to be.
 *
 * @param heard whether a local subscriber got it
 */
export function toldOf(verdict: Verdict | undefined, heard: boolean): Told {
  const problem = verdict?.problem ?? null
  const text = problem === null ? undefined : `${problem.code}: ${problem.reason}`
  switch (verdict?.outcome) {
    case 'local':
      return heard ? OK : NOBODY
    case 'shed':
      return SHED
    case 'dead letter':
      return { reason: reasonFor(problem?.code ?? ''), ...(text !== undefined && { text }) }
    default:
      // A part of it may have become a dead letter: what is stored is stored.
      return text === undefined ? OK : { reason: REASON.success, text }
  }
}

function reasonFor(code: string): Reason {
  // Nothing is wrong with the payload of a message that comes too late.
  if (code === 'MESSAGE_EXPIRED') return REASON.implementationSpecific
  return ABOUT_THE_TOPIC.has(code) ? REASON.topicNameInvalid : REASON.payloadFormatInvalid
}
