import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Site, SiteSummary } from '../../../simulators/site/index.ts'
import { describeError, UsageError } from '../../../sync/contract/index.ts'
import { pause, seededRandom, systemRandom } from '../../../sync/runtime/index.ts'
import { type Context, defineCommand, EXIT } from '../command.ts'
import { describeAlarm, followAlarms } from '../demo/alarms.ts'
import type { Editor } from '../demo/editor.ts'
import { drawDoors, drawScene, number } from '../demo/screen.ts'
import { Canvas, readWishes, type Wish } from '../demo/terminal.ts'
import { makeTrouble } from '../demo/trouble.ts'
import { duration, flag, integer, text } from '../option.ts'

const DRAW_EVERY = 250
const HAPPENINGS = 6
const ALARMS = 5
const USUAL_MQTT_PORT = 1883
const USUAL_CENTRAL_PORT = 4222
const USUAL_EDITOR_PORT = 1880

export const demo = defineCommand({
  name: 'demo',
  summary: 'A site in a box: central JetStream, gateway, sensors; cut the link, kill the gateway, see what happens.',
  usage: '[--for DURATION] [--json] [--devices N] [--rate N] [--trouble] [--dir DIR]',
  description:
    'Everything is real and runs on this machine only. At the end the sensors finish, the outbox drains, and the central stream is compared with a ledger of everything the sensors got acknowledged.',
  options: {
    for: duration('Stop after this long; otherwise runs until it is stopped.'),
    json: flag('Print nothing but a summary object at the end.'),
    devices: integer('Simulated sensors.', 1, 20),
    rate: integer('Samples a second of each sensor.', 1, 5),
    trouble: flag('Cut the link and kill the gateway now and then, all by itself.'),
    misbehave: flag('Sensors misbehave too: drop-outs, repeats, broken payloads, restarts, wrong clocks.'),
    bare: flag('Without Node-RED.'),
    seed: integer('Makes the trouble repeatable.', 0),
    dir: text('DIR', 'Keep everything durable here; otherwise a temporary folder that is removed at the end.'),
  },
  examples: [
    { command: 'tidegate demo', effect: 'shows the site; keys cut the link and kill the gateway' },
    { command: 'tidegate demo --for 20s --json', effect: 'runs unattended and prints a summary' },
    { command: 'tidegate demo --for 1m --trouble --misbehave', effect: 'everything goes wrong, nothing is lost' },
  ],
  exitCodes: { 1: 'something was lost, doubled or reordered, or an alarm was missed or told twice' },
  async run(context, { options }) {
    const entry = process.argv[1]
    if (entry === undefined)
      throw new UsageError(
        'DEMO_ENTRY',
        'the demo starts gateways with its own command line; run it as `tidegate demo`',
      )
    // Loaded only here: a gateway that runs for years does not carry simulators in its memory.
    const { Site } = await import('../../../simulators/site/index.ts')
    const { formatVerdict } = await import('../../../simulators/ledger/index.ts')
    const dir = options.dir === undefined ? await mkdtemp(join(tmpdir(), 'tidegate-demo-')) : resolve(options.dir)
    const tell = (line: string): void => void (options.json || context.stderr.write(`${line}\n`))
    try {
      const site = await Site.start({
        dir,
        entry,
        devices: options.devices,
        rate: options.rate,
        trouble: options.misbehave ? 1 : 0,
        mqttPort: USUAL_MQTT_PORT,
        centralPort: USUAL_CENTRAL_PORT,
        onStep: (step) => tell(`${step} ...`),
      })
      const editor = options.json || options.bare ? null : await openEditor(site, dir, context, tell)
      try {
        await live(site, context, options, editor)
        tell('stopping the sensors, draining the outbox, comparing the stream with the ledger ...')
        const { summary, verdict } = await site.finish()
        if (options.json) context.stdout.write(`${JSON.stringify(summary)}\n`)
        else context.stdout.write(`${formatVerdict(verdict)}\n\n${conclude(summary)}\n`)
        const { lost, doubled, reordered, events } = summary
        return lost + doubled + reordered + events.missed + events.doubled === 0 ? EXIT.ok : EXIT.failed
      } finally {
        if (editor && 'stop' in editor) await editor.stop()
        await site.stop()
      }
    } finally {
      if (options.dir === undefined) await rm(dir, { recursive: true, force: true })
    }
  },
})

async function openEditor(
  site: Site,
  dir: string,
  { clock, signal }: Context,
  tell: (line: string) => void,
): Promise<Editor> {
  tell('starting Node-RED ...')
  const { startEditor } = await import('../demo/editor.ts')
  const { portOr } = await import('../../../simulators/site/index.ts')
  const port = await portOr(USUAL_EDITOR_PORT, systemRandom)
  const editor = await startEditor(site.addresses, port, dir, { clock, random: systemRandom, signal })
  if ('missing' in editor) tell(`without Node-RED: ${editor.missing}`)
  return editor
}

/** Shows the site and does what is wished, until the time is over or somebody has seen enough. */
async function live(
  site: Site,
  context: Context,
  options: { for: number | undefined; json: boolean; trouble: boolean; seed: number | undefined },
  editor: Editor | null,
): Promise<void> {
  const { clock, signal } = context
  const enough = new AbortController()
  const end = (): void => enough.abort()
  signal.addEventListener('abort', end)
  if (signal.aborted) end()
  const cancel = options.for === undefined ? () => undefined : clock.after(options.for, end)
  const started = clock.monotonic()
  const happenings: string[] = []
  const happen = (happening: string): void => {
    const at = ((clock.monotonic() - started) / 1000).toFixed(1)
    happenings.push(`${at.padStart(6)} s  ${happening}`)
    if (happenings.length > HAPPENINGS) happenings.shift()
    if (!context.isTTY && !options.json) context.stdout.write(`${happenings.at(-1)}\n`)
  }
  const alarms: string[] = []
  const following = options.json
    ? Promise.resolve()
    : followAlarms(site.addresses, clock, enough.signal, (event) => {
        const at = ((clock.monotonic() - started) / 1000).toFixed(1)
        alarms.push(`${at.padStart(6)} s  ${describeAlarm(event)}`)
        if (alarms.length > ALARMS) alarms.shift()
        if (!context.isTTY) context.stdout.write(`${alarms.at(-1)}\n`)
      })
  const keys = context.isTTY && context.stdin.isTTY === true && !options.json
  const wishes = wishFulfiller(site, happen, end)
  const stopReading = options.json ? () => undefined : readWishes(context, keys, wishes.wish)
  const random = options.seed === undefined ? systemRandom : seededRandom(options.seed)
  const trouble = options.trouble
    ? makeTrouble(site, clock, random, enough.signal, happen).catch((error: unknown) => happen(describeError(error)))
    : Promise.resolve()
  // The clock's timers alone would let the process end.
  const keepAlive = setInterval(() => {}, 60_000)
  try {
    if (options.json) await pause(clock, options.for ?? Number.POSITIVE_INFINITY, enough.signal)
    else await show(site, context, { started, keys, happenings, alarms, editor }, enough.signal)
    await trouble
    await following
    await wishes.idle()
  } finally {
    clearInterval(keepAlive)
    cancel()
    stopReading()
    signal.removeEventListener('abort', end)
  }
}

/** Draws the screen at a terminal; elsewhere prints a line a second. */
async function show(
  site: Site,
  { stdout, clock, isTTY, env }: Context,
  state: {
    started: number
    keys: boolean
    happenings: readonly string[]
    alarms: readonly string[]
    editor: Editor | null
  },
  signal: AbortSignal,
): Promise<void> {
  const canvas = isTTY ? new Canvas(stdout) : null
  const colours = isTTY && env['NO_COLOR'] === undefined
  if (!canvas) stdout.write(`${drawDoors(site.addresses, state.editor, colours).join('\n')}\n`)
  let before = { at: clock.monotonic(), accepted: 0, forwarded: 0 }
  let rates = { accepted: 0, forwarded: 0 }
  while (!signal.aborted) {
    const view = site.view()
    const now = clock.monotonic()
    const readings = view.gateway?.outbox.lanes.readings
    if (readings && now - before.at >= 1000) {
      const perSecond = (current: number, last: number): number =>
        Math.max(0, ((current - last) * 1000) / (now - before.at))
      rates = {
        accepted: perSecond(readings.accepted, before.accepted),
        forwarded: perSecond(readings.forwarded, before.forwarded),
      }
      before = { at: now, accepted: readings.accepted, forwarded: readings.forwarded }
    }
    if (!readings) rates = { accepted: 0, forwarded: 0 }
    const elapsed = now - state.started
    if (canvas) {
      const { addresses } = site
      canvas.draw(
        drawScene({
          view,
          addresses,
          elapsed,
          rates,
          colours,
          ...state,
        }),
      )
    } else if (readings)
      stdout.write(
        `${(elapsed / 1000).toFixed(1).padStart(6)} s  accepted ${number(readings.accepted)}, forwarded ${number(readings.forwarded)}, buffered ${number(readings.pending)}, link ${view.gateway?.link.link}\n`,
      )
    await pause(clock, isTTY ? DRAW_EVERY : 1000, signal)
  }
  canvas?.close()
}

/** Carries out one wish at a time; what cannot be done is told, not thrown. */
function wishFulfiller(
  site: Site,
  tell: (happening: string) => void,
  quit: () => void,
): { wish: (wish: Wish) => void; idle: () => Promise<void> } {
  const fulfil = async (wish: Wish): Promise<void> => {
    const { linkCut, gateway } = site.view()
    if (wish === 'quit') quit()
    else if (wish === 'heal' || (wish === 'toggle-link' && linkCut)) {
      await site.healLink()
      tell('the link is back')
    } else if (wish === 'cut' || wish === 'toggle-link') {
      await site.cutLink()
      tell('the link is cut')
    } else if (wish === 'kill' || (wish === 'toggle-gateway' && gateway)) {
      await site.killGateway()
      tell('the gateway is killed (kill -9)')
    } else {
      await site.gateway.start()
      tell('the gateway is back')
    }
  }
  let last: Promise<void> = Promise.resolve()
  return {
    wish: (wish) => {
      last = last.then(() => fulfil(wish)).catch((error: unknown) => tell(describeError(error)))
    },
    idle: () => last,
  }
}

function conclude(summary: SiteSummary): string {
  const { accepted, forwarded, cuts, kills, lost, doubled, reordered, events } = summary
  const trouble = cuts + kills > 0 ? ` with the link cut ${cuts} times and the gateway killed ${kills} times` : ''
  return `${number(accepted)} readings accepted, ${number(forwarded)} stored centrally${trouble}: ${lost} lost, ${doubled} doubled, ${reordered} reordered.\n${events.raised} alarms raised, ${events.cleared} cleared: ${events.missed} missed, ${events.doubled} told twice.`
}
