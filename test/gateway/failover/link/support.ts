import { onTestFinished } from 'vitest'
import type { PeerDialer, PeerHost, PeerSession, ServedSession } from '../../../../gateway/failover/link/index.ts'

/** A message that came, with what answers it. */
export interface Heard {
  text: string
  bytes: number
  done: (error: Error | null) => void
}

/** A gateway that serves peers: it keeps every session, what came in it, and answers when the test says so. */
export class Host {
  readonly sessions: ServedSession[] = []
  readonly heard: Heard[] = []
  /** Answers whatever comes at once. */
  auto = false
  /** Called before anything else with what comes. */
  onHeard: (session: ServedSession, message: Buffer) => void = () => undefined

  constructor(host: PeerHost) {
    host.serve({
      opened: (_peer, session) => {
        this.sessions.push(session)
        session.onMessage((message, done) => {
          this.heard.push({ text: message.toString('latin1', 0, 40), bytes: message.length, done })
          this.onHeard(session, message)
          if (this.auto) done(null)
        })
      },
    })
  }

  texts(): string[] {
    return this.heard.map(({ text }) => text)
  }
}

export async function dialled(dialer: PeerDialer, peer = 'gw-b'): Promise<PeerSession> {
  const session = await dialer.dial(peer, new AbortController().signal)
  onTestFinished(() => session.close())
  return session
}

/** How a promise stands, without waiting for it. */
export class Outcome {
  state: 'open' | 'resolved' | 'rejected' = 'open'
  error: unknown = null

  constructor(promise: Promise<unknown>) {
    promise.then(
      () => {
        this.state = 'resolved'
      },
      (error: unknown) => {
        this.state = 'rejected'
        this.error = error
      },
    )
  }
}

export const numbered = (count: number, prefix = 'm'): string[] =>
  Array.from({ length: count }, (_, n) => `${prefix}${n}`)
