import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Site } from '../../../simulators/site/index.ts'
import { UsageError } from '../../../sync/contract/index.ts'
import { seededRandom, systemRandom } from '../../../sync/runtime/index.ts'
import { clientProfile, mqttVersion, versionOf } from '../client-option.ts'
import { type Context, defineCommand, EXIT } from '../command.ts'
import { CHAOS_KINDS, gatewaysFor } from '../demo/chaos.ts'
import { conclude } from '../demo/conclusion.ts'
import type { Editor } from '../demo/editor.ts'
import { live } from '../demo/live.ts'
import { duration, flag, integer, text, words } from '../option.ts'

const MOST_GATEWAYS = 3
const USUAL_MQTT_PORT = 1883
const USUAL_CENTRAL_PORT = 4222
const USUAL_EDITOR_PORT = 1880

export const demo = defineCommand({
  name: 'demo',
  summary: 'A site in a box: central JetStream, gateways, sensors; cut the link, kill a gateway, see what happens.',
  usage: '[--for DURATION] [--json] [--gateways N] [--chaos KINDS] [--trouble] [--devices N] [--rate N] [--dir DIR]',
  description:
    'Everything is real and runs on this machine only. At the end the sensors finish, the outbox drains, and the central stream is compared with a ledger of everything the sensors got acknowledged.',
  options: {
    for: duration('Stop after this long; otherwise runs until it is stopped.'),
    json: flag('Print nothing but a summary object at the end.'),
    gateways: integer('Gateways that sensors can choose from: 1, or 2 with --chaos, unless said.', 1, {
      max: MOST_GATEWAYS,
    }),
    devices: integer('Simulated sensors.', 1, 20),
    rate: integer('Samples a second of each sensor.', 1, 5),
    trouble: flag('Cut the link and kill the gateway now and then, all by itself.'),
    chaos: words(
      'KINDS',
      'Kill one gateway after the other, all by itself, never two at once; with wipe some lose their disk, too.',
      CHAOS_KINDS,
    ),
    client: clientProfile('tuned'),
    mqtt: mqttVersion,
    misbehave: flag('Sensors misbehave too: drop-outs, repeats, broken payloads, restarts, wrong clocks.'),
    bare: flag('Without Node-RED.'),
    seed: integer('Makes trouble and chaos repeatable.', 0),
    dir: text('DIR', 'Keep everything durable here; otherwise a temporary folder that is removed at the end.'),
  },
  examples: [
    { command: 'tidegate demo', effect: 'shows the site; keys cut the link and kill the gateway' },
    { command: 'tidegate demo --for 20s --json', effect: 'runs unattended and prints a summary' },
    { command: 'tidegate demo --for 1m --trouble --misbehave', effect: 'everything goes wrong, nothing is lost' },
    { command: 'tidegate demo --gateways 2', effect: 'shows a pair: kill one, and see where its sensors go' },
    {
      command: 'tidegate demo --gateways 2 --for 1m --chaos kill --json',
      effect: 'kills one gateway after the other; failoverMs says how long sensors had none',
    },
  ],
  exitCodes: { 1: 'something was lost, doubled or reordered, or an alarm was missed or told twice' },
  async run(context, { options }) {
    const gateways = gatewaysFor(options)
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
        gateways,
        rate: options.rate,
        client: options.client,
        version: versionOf(options.mqtt),
        trouble: options.misbehave ? 1 : 0,
        mqttPort: USUAL_MQTT_PORT,
        centralPort: USUAL_CENTRAL_PORT,
        onStep: (step) => tell(`${step} ...`),
      })
      const editor = options.json || options.bare ? null : await openEditor(site, dir, context, tell)
      try {
        const random = options.seed === undefined ? systemRandom : seededRandom(options.seed)
        await live(site, context, {
          for: options.for,
          quiet: options.json,
          trouble: options.trouble,
          chaos: options.chaos,
          random,
          editor,
        })
        tell('stopping the sensors, waiting for what is buffered, comparing the stream with the ledger ...')
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
