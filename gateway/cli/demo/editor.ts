import { join } from 'node:path'
import { type Flows, startFlows } from '../../../flows/index.ts'
import type { SiteAddresses } from '../../../simulators/site/index.ts'
import { describeError, type Millis } from '../../../sync/contract/index.ts'
import { type Clock, pause, type Random } from '../../../sync/runtime/index.ts'

/** The editor of the flows, and how to get in; why there is none, in words. */
export type Editor = { url: string; user: string; password: string; stop(): Promise<void> } | { missing: string }

const UP_WITHIN: Millis = 30_000
const LOOK_EVERY: Millis = 100

/** Starts Node-RED beside the site, outside its gateway: it lives on when that is killed. */
export async function startEditor(
  addresses: SiteAddresses,
  port: number,
  dir: string,
  world: { clock: Clock; random: Random; signal: AbortSignal },
): Promise<Editor> {
  const { clock, random, signal } = world
  let login = { user: 'admin', password: 'as it was printed at the first start' }
  let last = ''
  let flows: Flows
  try {
    flows = await startFlows({
      userDir: join(dir, 'flows'),
      apiFile: join(addresses.dataDir, 'api.json'),
      port,
      clock,
      random,
      log: ({ text }) => {
        last = text
      },
      onPassword: (fresh) => {
        login = fresh
      },
    })
  } catch (error) {
    return { missing: describeError(error) }
  }
  const until = clock.monotonic() + UP_WITHIN
  while (flows.status().process !== 'up' && !signal.aborted) {
    if (clock.monotonic() > until) {
      await flows.stop()
      return { missing: `Node-RED did not start: ${last}` }
    }
    await pause(clock, LOOK_EVERY, signal)
  }
  return { url: flows.url, ...login, stop: () => flows.stop() }
}
