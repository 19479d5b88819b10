import type { SiteAddresses, SiteView } from '../../../simulators/site/index.ts'
import type { Millis } from '../../../sync/contract/index.ts'
import type { GatewayStatus } from '../../observe/index.ts'
import { drawBoard } from './board.ts'
import type { Editor } from './editor.ts'
import { drawKeys, drawWords } from './hints.ts'
import { number, perSecond } from './numbers.ts'
import { type Paint, painter } from './paint.ts'
import type { Rates } from './rates.ts'

/** Everything that the screen shows; the screen is a pure picture of it. */
export interface Scene {
  view: SiteView
  addresses: SiteAddresses
  /** null without Node-RED. */
  editor: Editor | null
  elapsed: Millis
  /** What each gateway made durable, and what was stored centrally, in the last second. */
  rates: readonly Rates[]
  /** What happened lately, newest last. */
  happenings: readonly string[]
  /** What the alarms did lately, newest last. */
  alarms: readonly string[]
  colours: boolean
  /** Whether keys are read one by one, or commands line by line. */
  keys: boolean
}

/** The whole screen as lines. */
export function drawScene(scene: Scene): string[] {
  const { view, addresses, editor, happenings, alarms, keys } = scene
  const paint = painter(scene.colours)
  return [
    `${paint('bold', ' Tidegate')}  a site in a box${' '.repeat(38)}${paint('dim', clock(scene.elapsed))}`,
    '',
    ...(view.gateways.length > 1 ? drawBoard(view, scene.rates, paint) : drawOne(scene, paint)),
    '',
    ...drawDoors(addresses, editor, scene.colours),
    '',
    ...(keys ? drawKeys(view, paint) : drawWords(view)),
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
    ` ${paint('bold', 'Subscribe')}  ${addresses.centralUrl}, subject ${addresses.subject}, stream READINGS; alarms: events.${addresses.site}.>, stream EVENTS`,
    ...(editor && 'url' in editor
      ? [` ${paint('bold', 'Draw rules')} ${editor.url}, user ${editor.user}, password ${editor.password}`]
      : []),
  ]
}

/** A single gateway: the way of a reading, and what became of them. */
function drawOne({ view, rates: [rates = { accepted: 0, forwarded: 0 }] }: Scene, paint: Paint): string[] {
  const status = view.gateways[0]?.status ?? null
  return [...drawWay(view, status, rates, paint), '', ...drawNumbers(view, status, paint)]
}

/** The way of a reading, with what is broken on it. */
function drawWay({ fleet, linkCut }: SiteView, gateway: GatewayStatus | null, rates: Rates, paint: Paint): string[] {
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

function drawNumbers({ fleet }: SiteView, gateway: GatewayStatus | null, paint: Paint): string[] {
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

const seconds = (millis: Millis): string => `${(millis / 1000).toFixed(1)} s`

function clock(elapsed: Millis): string {
  const whole = Math.floor(elapsed / 1000)
  return `${String(Math.floor(whole / 60)).padStart(2, '0')}:${String(whole % 60).padStart(2, '0')}`
}
