import type { Millis } from '../../sync/contract/index.ts'
import type { CentralDialer, CentralSession, StreamFacts } from '../../sync/link/index.ts'

/** The same way to the centre; `said` hears what time it is there whenever the forwarder asks how a stream stands. */
export function hearCentre(dialer: CentralDialer, said: (at: Millis) => void): CentralDialer {
  const heard = (facts: StreamFacts): StreamFacts => {
    if (facts.at !== null) said(facts.at)
    return facts
  }
  const listening = (session: CentralSession): CentralSession => ({
    maxPayload: session.maxPayload,
    closed: session.closed,
    append: (...args) => session.append(...args),
    head: (...args) => session.head(...args),
    nextFrom: (...args) => session.nextFrom(...args),
    facts: async (...args) => heard(await session.facts(...args)),
    provision: (...args) => session.provision(...args),
    close: () => session.close(),
  })
  return { dial: async (signal) => listening(await dialer.dial(signal)) }
}
