/** Header names of a message made by a gateway. Values are plain ASCII. */
export const HEADERS = {
  /** Random id of the outbox that numbered the records; with the gateway's id it names the origin. */
  epoch: 'Tidegate-Epoch',
  /** First offset that the message covers. */
  from: 'Tidegate-From',
  /** Last offset that the message covers (inclusive). */
  to: 'Tidegate-To',
  /** Fencing term of whoever forwards this origin; higher wins. */
  term: 'Tidegate-Term',
  /** Number of records in the body; less than `to - from + 1` by what `gaps` declares. */
  count: 'Tidegate-Count',
  /** Declared holes, `100-149 evicted, 200-200 damaged`. */
  gaps: 'Tidegate-Gaps',
  /** Running CRC-32 of the lane up to `to`, hexadecimal: tells two histories with the same offsets apart. */
  lineage: 'Tidegate-Lineage',
  /**
   * Makes the message a fence: it holds no records, and the gateway named here (a subject token) put it on another gateway's chain, so
   * that whoever writes there next has to read it first. The other headers repeat where the chain was before it.
   */
  fence: 'Tidegate-Fence',
  /**
   * Gateways (subject tokens, a space between) whose chains whoever wrote this fence, or one directly before it, is about to write to in
   * their place. Whoever reads it reads those chains before sending more.
   */
  fenceFor: 'Tidegate-Fence-For',
  /** Number of the transition in its alarm's chain (events only). */
  transition: 'Tidegate-Transition',
  /** Which series of transitions that is: the time of its first one (events only). */
  since: 'Tidegate-Since',
  contentType: 'Content-Type',
  contentEncoding: 'Content-Encoding',
} as const

/** Whether the message is a fence: nothing to consume, on any chain. */
export const isFence = (header: (name: string) => string | undefined): boolean => Boolean(header(HEADERS.fence))

export const NDJSON = 'application/x-ndjson'
