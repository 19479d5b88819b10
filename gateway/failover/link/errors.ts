import { RetryableError } from '../../../sync/contract/index.ts'

/** There is no session with the peer now. */
export class PeerDialError extends RetryableError {
  constructor(peer: string, why: string, cause?: unknown) {
    super('PEER_DIAL_FAILED', `no session with gateway '${peer}': ${why}`, { cause })
  }
}

/** The session is over. What was under way may or may not have been taken. */
export class PeerSessionOver extends RetryableError {
  constructor(peer: string, cause?: unknown) {
    super('PEER_SESSION_OVER', `the session with gateway '${peer}' is over`, { cause })
  }
}
