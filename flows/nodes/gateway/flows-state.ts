import type { Red } from '../red.ts'

interface RuntimeState {
  id?: string
  payload?: { state?: string; error?: string; types?: unknown; modules?: unknown }
}

/**
 * Answers the supervisor at `/tidegate/state` whether the flows run. Node-RED takes a deploy with a node that it does not know, answers
 * that all is well, and starts nothing: this is where it shows.
 */
export function serveFlowsState(red: Red): void {
  let flows: 'started' | 'stopped' | 'unknown' = 'unknown'
  let reason: string | null = null
  red.events.on('flows:started', () => {
    flows = 'started'
    reason = null
  })
  red.events.on('runtime-event', (detail) => {
    const { id, payload } = detail as RuntimeState
    // Without an error it tells of a deploy under way.
    if (id !== 'runtime-state' || payload?.error === undefined) return
    flows = 'stopped'
    reason = reasonOf(payload)
  })
  red.httpAdmin.get('/tidegate/state', red.auth.needsPermission('flows.read'), (_request, response) => {
    response.json({ flows, reason })
  })
}

function reasonOf({ error, types, modules }: NonNullable<RuntimeState['payload']>): string {
  if (error === 'missing-types') return `the flows use nodes that are not installed: ${listed(types)}`
  if (error === 'missing-modules') return `the flows use modules that are not installed: ${listed(modules)}`
  if (error === 'safe-mode') return 'Node-RED was started to mend them: they start with the next deploy'
  return error ?? 'somebody stopped them'
}

const listed = (things: unknown): string =>
  Array.isArray(things)
    ? things.map((thing) => (typeof thing === 'string' ? thing : JSON.stringify(thing))).join(', ')
    : '?'
