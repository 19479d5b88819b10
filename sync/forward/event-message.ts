import { eventSubject, HEADERS, type Offset, STREAMS, type ThresholdEvent } from '../contract/index.ts'
import type { OutgoingMessage } from '../link/index.ts'

/** Who says it. */
export interface EventOrigin {
  site: string
  gateway: string
  epoch: string
  term: number
}

/**
 * One threshold event as a message: CloudEvents 1.0 in binary mode (attributes as `ce-*` headers, the data as JSON body).
 * Attribute values are percent-encoded as the HTTP binding §3.1.3.2 says, the only binding that defines it.
 */
export function encodeEvent(event: ThresholdEvent, offset: Offset, origin: EventOrigin): OutgoingMessage {
  return {
    stream: STREAMS.events,
    subject: eventSubject(origin.site, event.device, event.rule),
    headers: [
      ['ce-specversion', '1.0'],
      ['ce-id', attribute(event.id)],
      ['ce-source', `/sites/${attribute(origin.site)}/gateways/${attribute(origin.gateway)}`],
      ['ce-type', ceType(event)],
      ['ce-subject', attribute(event.device)],
      ['ce-time', ceTime(event)],
      [HEADERS.contentType, 'application/json'],
      [HEADERS.transition, String(event.transition)],
      [HEADERS.since, String(event.since)],
      [HEADERS.epoch, origin.epoch],
      [HEADERS.from, String(offset)],
      [HEADERS.to, String(offset)],
      [HEADERS.term, String(origin.term)],
      [HEADERS.count, '1'],
    ],
    body: Buffer.from(JSON.stringify(event)),
  }
}

/** How an event's type and time stand in its headers. */
export const ceType = ({ type }: ThresholdEvent): string => attribute(type)
export const ceTime = ({ time }: ThresholdEvent): string => new Date(time).toISOString()

const attribute = (text: string): string =>
  text.replace(/[^\x21\x23\x24\x26-\x7e]/gu, (char) =>
    [...Buffer.from(char)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  )
