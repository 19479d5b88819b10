import type { SiteAddresses, SiteView } from '../../../simulators/site/index.ts'
import type { Millis } from '../../../sync/contract/index.ts'
import type { Editor } from './editor.ts'

/** Everything that the screen shows; the screen is a pure picture of it. */
export interface Scene {
  view: SiteView
  addresses: SiteAddresses
  /** null without Node-RED. */
  editor: Editor | null
  elapsed: Millis
  /** Readings made durable, and stored centrally, in the last second. */
  rates: { accepted: number; forwarded: number }
  /** What happened lately, newest last. */
  happenings: readonly string[]
  /** What the alarms did lately, newest last. */
  alarms: readonly string[]
  colours: boolean
  /** Whether keys are read one by one, or commands line by line. */
  keys: boolean
}

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const
type Paint = (style: keyof typeof CODES, text: string) => string

const painter =
  (colours: boolean): Paint =>
  (style, text) =>
    colours ? `\u001b[${CODES[style]}m${text}\u001b[0m` : text

/** The whole screen as lines. */
export function drawScene(scene: Scene): string[] {
  const { view, addresses, editor, happenings, alarms, keys } = scene
  const paint = painter(scene.colours)
  return [
    `${paint('bold', ' Tidegate')}  a site in a box${' '.repeat(38)}${paint('dim', clock(scene.elapsed))}`,
    '',
    ...drawWay(scene, paint),
    '',
    ...drawNumbers(scene, paint),
    '',
    ...drawDoors(addresses, editor, scene.colours),
    '',
    keys
      ? ` ${key(paint, 'c')} ${view.linkCut ? 'heal' : 'cut'} the link   ${key(paint, 'k')} ${view.gateway ? 'kill -9' : 'restart'} the gateway   ${key(paint, 'q')} stop and check that nothing was lost`
      : ' Type a command and press return: cut, heal, kill, restart, quit',
    '',
    ...happenings.map((happening) => paint('dim', ` ${happening}`)),
    ...(alarms.length > 0 ? ['', paint('bold', ' Alarms'), ...alarms.map((alarm) => ` ${alarm}`)] : []),
  ]
}

/** Where one can take part: what to type to publish, to watch, and what to subscribe to. */
export function drawDoors(addresses: SiteAddresses, editor: Editor | null, colours: boolean): string[] {
  const paint = painter(colours)
  return [
    ` ${paint('bold', 'Publish')}    mosquitto_pub -p ${addresses.mqttPort} -q 1 -t sensors/me/temperature -m 21.5`,
    ` ${paint('bold', 'Watch')}      npx tidegate tail --config ${addresses.config}`,
    ` ${paint('bold', 'Subscribe')}  ${addresses.centralUrl}, subject readings.${addresses.site}.${addresses.gateway}, stream READINGS; alarms: events.${addresses.site}.>, stream EVENTS`,
    ...(editor && 'url' in editor
      ? [` ${paint('bold', 'Draw rules')} ${editor.url}, user ${editor.user}, password ${editor.password}`]
      : []),
  ]
}

const key = (paint: Paint, name: string): string => paint('cyan', `[${name}]`)

/** The way of a reading, with what is broken on it. */
function drawWay({ view, rates }: Scene, paint: Paint): string[] {
  const { gateway, fleet, linkCut } = view
  const up = gateway?.link.link === 'up'
  const box = gateway ? paint('green', ' gateway ') : paint('red', ' gateway ')
  const mqtt = gateway ? paint('green', '────MQTT───▶') : paint('red', '────MQTT─ ✗ ')
  const link = up ? paint('green', '────NATS───▶') : paint('red', '────NATS─ ✗ ')
  const state = gateway ? (gateway.outbox.state === 'open' ? 'running' : gateway.outbox.state) : 'killed'
  const linkState = up ? 'up' : linkCut ? 'cut' : 'down'
  const columns = (sensors: string, middle: string, between: string, end: string): string =>
    `  ${sensors.padEnd(14)}${' '.repeat(12)} ${middle.padEnd(11)}${between.padStart(10).padEnd(13)} ${end}`
  return [
    `  ${'sensors'.padEnd(13)} ${mqtt} [${box}] ${link} [ central JetStream ]`,
    columns(`${fleet.online}/${fleet.connections} online`, state, `link ${linkState}`, 'stream READINGS'),
    columns(`${perSecond(rates.accepted)}`, '', perSecond(rates.forwarded), ''),
  ]
}

function drawNumbers({ view }: Scene, paint: Paint): string[] {
  const { gateway, fleet } = view
  if (!gateway) {
    const waiting = number(fleet.waiting + fleet.inFlight)
    return [
      ` ${paint('red', 'the gateway is dead')}: its outbox is on disk, ${waiting} publishes wait in the sensors`,
      '',
      '',
      '',
      '',
      '',
      '',
    ]
  }
  const { readings, events, deadletters } = gateway.outbox.lanes
  const row = (name: string, value: string, meaning: string): string =>
    `  ${name.padEnd(14)}${value.padStart(12)}   ${paint('dim', meaning)}`
  const age = gateway.oldestPending === null ? '' : `, the oldest for ${seconds(gateway.oldestPending)}`
  const buffered = number(readings.pending)
  return [
    row('accepted', number(readings.accepted), 'readings on disk, acknowledged to the sensors'),
    row('forwarded', number(readings.forwarded), 'of these, stored centrally'),
    row(
      'buffered',
      readings.pending > 0 ? paint('yellow', buffered.padStart(12)) : buffered,
      `waiting for the link${age}`,
    ),
    row(
      'alarm events',
      number(events.accepted),
      `decided with their readings, ${number(events.pending)} waiting for the link`,
    ),
    row('dead letters', number(deadletters.accepted), 'broken payloads, kept with the reason'),
    row('repeats', number(gateway.counters.repeats ?? 0), 'sent again by sensors, recognised, not stored twice'),
    row('evicted', number(readings.missing), 'given up for lack of disk space'),
  ]
}

export const number = (value: number): string => Math.round(value).toLocaleString('en')
const perSecond = (rate: number): string => `${number(rate)}/s`
const seconds = (millis: Millis): string => `${(millis / 1000).toFixed(1)} s`

function clock(elapsed: Millis): string {
  const whole = Math.floor(elapsed / 1000)
  return `${String(Math.floor(whole / 60)).padStart(2, '0')}:${String(whole % 60).padStart(2, '0')}`
}
