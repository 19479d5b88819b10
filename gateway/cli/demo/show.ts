import type { Site } from '../../../simulators/site/index.ts'
import type { Millis } from '../../../sync/contract/index.ts'
import { pause } from '../../../sync/runtime/index.ts'
import type { Context } from '../command.ts'
import { describeGateway } from './board.ts'
import type { Editor } from './editor.ts'
import { number } from './numbers.ts'
import { RateMeter } from './rates.ts'
import { drawDoors, drawScene } from './screen.ts'
import { Canvas } from './terminal.ts'

const DRAW_EVERY: Millis = 250
const TELL_EVERY: Millis = 1_000

/** Draws the screen at a terminal; elsewhere prints a line a second. */
export async function show(
  site: Site,
  { stdout, clock, isTTY, env }: Context,
  state: {
    started: Millis
    keys: boolean
    happenings: readonly string[]
    alarms: readonly string[]
    editor: Editor | null
  },
  signal: AbortSignal,
): Promise<void> {
  const canvas = isTTY ? new Canvas(stdout) : null
  const colours = isTTY && env['NO_COLOR'] === undefined
  const { addresses } = site
  if (!canvas) stdout.write(`${drawDoors(addresses, state.editor, colours).join('\n')}\n`)
  const meters = site.gateways.map(() => new RateMeter(clock.monotonic()))
  while (!signal.aborted) {
    const view = site.view()
    const now = clock.monotonic()
    const elapsed = now - state.started
    const rates = view.gateways.map(({ status }, index) => meters[index]?.look(status, now) ?? NO_RATES)
    if (canvas) canvas.draw(drawScene({ view, addresses, elapsed, rates, colours, ...state }))
    else {
      const line = describeSite(site)
      if (line !== null) stdout.write(`${(elapsed / 1000).toFixed(1).padStart(6)} s  ${line}\n`)
    }
    await pause(clock, isTTY ? DRAW_EVERY : TELL_EVERY, signal)
  }
  canvas?.close()
}

const NO_RATES = { accepted: 0, forwarded: 0 }

/** null when there is nothing to say. */
function describeSite(site: Site): string | null {
  const { gateways } = site.view()
  if (gateways.length > 1) return gateways.map(describeGateway).join(' | ')
  const status = gateways[0]?.status ?? null
  if (status === null) return null
  const { accepted, forwarded, pending } = status.outbox.lanes.readings
  return `accepted ${number(accepted)}, forwarded ${number(forwarded)}, buffered ${number(pending)}, link ${status.link.link}`
}
