import { escapeToken, HEADERS, unescapeToken } from '../contract/index.ts'
import type { ChainHead, OutgoingMessage } from '../link/index.ts'

/** What a fence repeats of the newest pack before it: the chain's position, of which retention may leave nothing else. */
const REPEATED = [HEADERS.epoch, HEADERS.to, HEADERS.term, HEADERS.lineage] as const

/** Who has put a fence on a chain, and why. */
export interface Fence {
  by: string
  /** Gateways in whose place it, or whoever fenced the chain directly before, is about to send. */
  inPlaceOf: readonly string[]
}

/**
 * A message without records on another gateway's chain. Whoever writes there next fails, and finds out that `by` has decided
 * without it what to send.
 *
 * @param newest the chain's end; null when it is empty
 * @param before the newest pack (or fence) that tells the chain's position; null when it has none
 */
export function encodeFence(
  target: { stream: string; subject: string },
  { by, inPlaceOf }: Fence,
  newest: ChainHead | null,
  before: ChainHead | null,
): OutgoingMessage {
  const headers: [string, string][] = [[HEADERS.fence, escapeToken(by)]]
  // The owner of the chain looks at its end alone, however many fences have come together there.
  const all = new Set([...((newest && fenceOf(newest)?.inPlaceOf) ?? []), ...inPlaceOf])
  if (all.size > 0) headers.push([HEADERS.fenceFor, [...all].map(escapeToken).join(' ')])
  const to = Number(before?.headers.get(HEADERS.to) ?? Number.NaN)
  if (before && Number.isSafeInteger(to)) {
    for (const name of REPEATED) {
      const value = before.headers.get(name)
      if (value !== undefined) headers.push([name, value])
    }
    headers.push([HEADERS.from, String(to + 1)], [HEADERS.count, '0'])
  }
  return { ...target, headers, body: new Uint8Array() }
}

/** Null when the message is none. */
export function fenceOf(message: ChainHead): Fence | null {
  const by = message.headers.get(HEADERS.fence)
  if (by === undefined || by === '') return null
  const others = (message.headers.get(HEADERS.fenceFor) ?? '').split(' ').filter((token) => token !== '')
  return { by: nameOf(by), inPlaceOf: others.map(nameOf) }
}

function nameOf(token: string): string {
  try {
    return unescapeToken(token)
  } catch {
    // Not what a gateway writes; a name all the same.
    return token
  }
}
