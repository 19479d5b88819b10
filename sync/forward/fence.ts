import { escapeToken, HEADERS, unescapeToken } from '../contract/index.ts'
import type { ChainHead, OutgoingMessage } from '../link/index.ts'

/** What a fence repeats of the newest pack before it: the chain's position, of which retention may leave nothing else. */
const REPEATED = [HEADERS.epoch, HEADERS.to, HEADERS.term, HEADERS.lineage] as const

/**
 * A message without records on another gateway's chain. Whoever writes there next fails, and finds out that `by` has decided
 * without it what to send.
 *
 * @param before the newest pack (or fence) of the chain; null when it has none
 */
export function encodeFence(
  target: { stream: string; subject: string },
  by: string,
  before: ChainHead | null,
): OutgoingMessage {
  const headers: [string, string][] = [[HEADERS.fence, escapeToken(by)]]
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

/** The gateway that made the message if it is a fence, else null. */
export function fenceOf(message: ChainHead): string | null {
  const by = message.headers.get(HEADERS.fence)
  if (by === undefined || by === '') return null
  try {
    return unescapeToken(by)
  } catch {
    // Not what a gateway writes; a fence all the same.
    return by
  }
}
