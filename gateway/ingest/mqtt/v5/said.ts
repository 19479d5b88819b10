import type { Said } from '../../acceptor.ts'
import type { Properties } from './properties.ts'

/** What of the properties of a message the acceptor has to know; null when there is nothing. */
export function saidOf({ user, contentType, messageExpiry }: Properties): Said | null {
  if (user === undefined && contentType === undefined && messageExpiry === undefined) return null
  return {
    user: user ?? [],
    contentType: contentType ?? null,
    expiry: messageExpiry === undefined ? null : messageExpiry * 1000,
  }
}
