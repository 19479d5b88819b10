import type { Millis } from '../../sync/contract/index.ts'
import { type Clock, withTimeLimit } from '../../sync/runtime/index.ts'

/** Whether the flows run, as Node-RED itself says. */
export interface FlowsState {
  flows: 'started' | 'stopped' | 'unknown'
  /** Why they do not run; null when they do or nobody knows. */
  reason: string | null
}

export interface ProbeTarget {
  /** `http://127.0.0.1:1880` */
  url: string
  /** Lets in to read, nothing else. */
  token: string
}

/**
 * Asks Node-RED whether it is alive, with a limit of time: a process in an endless loop keeps its port open, takes the connection,
 * and never answers.
 *
 * @param signal ends the wait early
 * @returns null when there was no answer in time
 */
export async function probe(
  target: ProbeTarget,
  clock: Clock,
  within: Millis,
  signal: AbortSignal,
): Promise<FlowsState | null> {
  try {
    return await withTimeLimit(clock, within, signal, (limited) => ask(target, limited))
  } catch {
    return null
  }
}

async function ask({ url, token }: ProbeTarget, signal: AbortSignal): Promise<FlowsState> {
  const answer = await fetch(`${url}/tidegate/state`, { headers: { authorization: `Bearer ${token}` }, signal })
  if (!answer.ok) {
    await answer.body?.cancel()
    // It serves, but our nodes are not there to say more.
    return { flows: 'unknown', reason: `the nodes of Tidegate did not load (${answer.status})` }
  }
  const { flows, reason } = (await answer.json()) as Partial<FlowsState>
  return { flows: flows ?? 'unknown', reason: reason ?? null }
}
