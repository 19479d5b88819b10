/**
 * One direction between two gateways: the dialler's messages there, the peer's answers back. Each gateway dials each of its
 * peers, so that between two of them there are two sessions.
 */

/** The end that speaks first. */
export interface PeerDialer {
  /**
   * Dials once; trying again is the caller's business.
   *
   * @param peer name of a gateway
   * @throws RetryableError `PEER_DIAL_FAILED`
   */
  dial(peer: string, signal: AbortSignal): Promise<PeerSession>
}

/** One living session with a peer, as the dialler sees it. It ends once, and is never revived. */
export interface PeerSession {
  /**
   * Sends a message, behind all those before it; many may be under way. The bytes must not change until it is answered.
   *
   * @returns resolves, in order, when the peer has taken the message, and with it everything before it, as far as it has
   *   to; what the peer said before that has been heard then. Rejects with RetryableError `PEER_SESSION_OVER` when the
   *   session is over: the peer may or may not have taken it
   */
  send(message: Uint8Array): Promise<void>
  /** What the peer says, in order; nothing is missing as long as the session lives. Set once: until then it waits. */
  onMessage(listener: (message: Buffer) => void): void
  /** Resolves when the session is over: null when one side wanted it so, else with the reason. */
  readonly closed: Promise<Error | null>
  /** Ends it, whatever is under way. Resolves when the connection is gone. */
  close(): Promise<void>
}

/** The end that is dialled. */
export interface PeerHost {
  /** From now on peers may dial; until then they are refused. Set once. */
  serve(handler: PeerHandler): void
}

export interface PeerHandler {
  /** A peer has dialled. A new session of the same peer ends the one before: that is over when this is called. */
  opened(peer: string, session: ServedSession): void
}

/** One living session with a peer, as the one who was dialled sees it. */
export interface ServedSession {
  /** Name of the gateway that dialled. */
  readonly peer: string
  /**
   * The peer's messages, in order. Set once: until then they wait.
   *
   * `message` is valid until `done` is called: copy what must live longer. `done` without an error says that the message is
   * taken, as far as it has to be; the peer hears of it when everything before it is done too. With an error it ends the
   * session at once.
   */
  onMessage(listener: (message: Buffer, done: (error: Error | null) => void) => void): void
  /** Says something to the peer, in order. It is lost when the session is over. The bytes must not change any more. */
  send(message: Uint8Array): void
  /** Resolves when the session is over: null when one side wanted it so, else with the reason. */
  readonly closed: Promise<Error | null>
  /** Ends it, after what has been said. */
  close(): void
}
