import type { GatewayView, SiteView } from '../../../simulators/site/index.ts'
import { number, perSecond } from './numbers.ts'
import type { Paint } from './paint.ts'
import type { Rates } from './rates.ts'

/** Wide enough for `12,345,678` and a gap. */
const COLUMN = 14
const TITLES = 18

/** Several gateways side by side: one column each. */
export function drawBoard(view: SiteView, rates: readonly Rates[], paint: Paint): string[] {
  const { gateways, fleet, peersCut } = view
  const row = (title: string, cell: (gateway: GatewayView, index: number) => string, meaning = ''): string =>
    `  ${title.padEnd(TITLES)}${gateways.map((gateway, index) => cell(gateway, index).padEnd(COLUMN)).join('')}${paint('dim', meaning)}`
  const tinted = (title: string, cell: (gateway: GatewayView) => { text: string; good: boolean }): string =>
    `  ${title.padEnd(TITLES)}${gateways
      .map((gateway) => {
        const { text, good } = cell(gateway)
        return paint(good ? 'green' : 'red', text.padEnd(COLUMN))
      })
      .join('')}`
  const lane = (of: (gateway: NonNullable<GatewayView['status']>) => number) => (gateway: GatewayView) =>
    gateway.status === null ? '-' : number(of(gateway.status))
  return [
    `  ${''.padEnd(TITLES)}${gateways.map(({ name }) => paint('bold', name.padEnd(COLUMN))).join('')}`,
    tinted('state', stateOf),
    row(
      'sensors',
      (_, index) => number(fleet.homes[index] ?? 0),
      `${fleet.online} of ${fleet.connections} are connected`,
    ),
    row('readings', (_, index) => perSecond(rates[index]?.accepted ?? 0), 'on disk, acknowledged to the sensors'),
    row('forwarded', (_, index) => perSecond(rates[index]?.forwarded ?? 0), 'stored centrally'),
    row(
      'buffered',
      lane(({ outbox }) => outbox.lanes.readings.pending),
      'waiting for the link',
    ),
    row(
      'alarm events',
      lane(({ outbox }) => outbox.lanes.events.accepted),
      'decided with their readings',
    ),
    row(
      'dead letters',
      lane(({ outbox }) => outbox.lanes.deadletters.accepted),
      'broken payloads, kept with the reason',
    ),
    row(
      'repeats',
      lane(({ counters }) => counters.repeats ?? 0),
      'sent again by sensors, recognised, not stored twice',
    ),
    row(
      'evicted',
      lane(({ outbox }) => outbox.lanes.readings.missing),
      'given up for lack of disk space',
    ),
    tinted('link', linkOf),
    `  ${'between gateways'.padEnd(TITLES)}${peersCut ? paint('red', 'cut') : paint('green', 'up')}`,
  ]
}

/** One line about each gateway, for where no screen is drawn. */
export const describeGateway = ({ name, status }: GatewayView): string => {
  if (status === null) return `${name} dead`
  const { accepted, pending } = status.outbox.lanes.readings
  return `${name} accepted ${number(accepted)}, buffered ${number(pending)}, link ${status.link.link}`
}

function stateOf({ status }: GatewayView): { text: string; good: boolean } {
  if (status === null) return { text: 'killed', good: false }
  const { state } = status.outbox
  return { text: state === 'open' ? 'running' : state, good: state === 'open' }
}

function linkOf({ status, linkCut }: GatewayView): { text: string; good: boolean } {
  if (status === null) return { text: '-', good: false }
  const good = status.link.link === 'up'
  return { text: good ? 'up' : linkCut ? 'cut' : 'down', good }
}
