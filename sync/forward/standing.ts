/** The term of whoever forwards what it numbered itself, until somebody else has done it. */
export const FIRST_TERM = 1

/**
 * By which right somebody writes to the chain of one lane. Terms belong to the chain, are read from it, and remembered nowhere else:
 * the highest one holds.
 */
export interface Standing {
  /** Read whenever it is used; 0 = none was claimed yet. */
  term: number
  /** Somebody has written with term `seen`, which is higher: the term to go on with, or null to leave the chain to them. */
  outbid(seen: number): number | null
}

/** Of the gateway that numbered the lane: whatever was forwarded for it meanwhile, it goes on behind that. */
export const ownerStanding = (): Standing => ({ term: FIRST_TERM, outbid: (seen) => seen + 1 })

/** Of a gateway that forwards a peer's lane while the peer cannot: it outbids once, to begin, and gives way to whoever outbids it. */
export const survivorStanding = (): Standing => ({
  term: 0,
  outbid(seen) {
    return this.term === 0 ? seen + 1 : null
  },
})
