import type { GatewayStatus } from '../../observe/index.ts'
import { roughBytes, roughDuration } from '../amounts.ts'
import { apiClient } from '../api/index.ts'
import { defineCommand, EXIT } from '../command.ts'
import { configOption } from '../config-file.ts'
import { dataOption } from '../data-dir.ts'
import { flag } from '../option.ts'
import { type Cell, type Paint, painter, printable, type Style, tableLines } from '../terminal-text.ts'

export const status = defineCommand({
  name: 'status',
  summary: 'Show how the running gateway is, and how it stands with its peers.',
  usage: '[--config FILE | --data DIR] [--json]',
  options: { config: configOption, data: dataOption, json: flag('Print everything as one JSON object.') },
  examples: [
    { command: 'tidegate status', effect: 'what to look at first' },
    { command: 'tidegate status --json | jq .failover', effect: 'for a program' },
  ],
  exitCodes: { 1: 'it takes no readings, or no devices', 3: 'no gateway runs there' },
  async run(context, { options }) {
    const { stdout, isTTY, env } = context
    const client = await apiClient(options, context)
    const { value } = await client.request<GatewayStatus>({ path: '/status' })
    if (options.json) stdout.write(`${JSON.stringify(value)}\n`)
    else stdout.write(`${lines(value, painter(isTTY && !env['NO_COLOR'])).join('\n')}\n`)
    return value.health.state === 'closed' ? EXIT.failed : EXIT.ok
  },
})

const STYLES: Readonly<Record<GatewayStatus['health']['state'], Style>> = {
  ok: 'green',
  degraded: 'yellow',
  closed: 'alarm',
}

function lines(now: GatewayStatus, paint: Paint): string[] {
  const { site, gateway, uptime, health, connections, series, link, outbox, oldestPending, handover } = now
  const { readings } = outbox.lanes
  const waits = oldestPending === null ? '' : `, the oldest for ${roughDuration(oldestPending)}`
  const reason = link.reason === null ? '' : ` (${printable(link.reason)})`
  const rows: [string, string][] = [
    ['gateway', `${site}/${gateway}, up for ${roughDuration(uptime)}`],
    ['health', paint(STYLES[health.state], health.state)],
    ...health.problems.map(({ code, message }): [string, string] => ['', `${code}: ${printable(message)}`]),
    ['devices', `${connections} connections, ${series} series`],
    ['centre', `${link.link}${link.link === 'up' ? '' : reason}`],
    ['readings', `${readings.accepted} accepted, ${readings.forwarded} forwarded, ${readings.pending} waiting${waits}`],
    ['disk', roughBytes(outbox.storedBytes)],
  ]
  if (handover.stage !== 'none')
    rows.push(['handover', `${handover.stage}, ${handover.devices} of ${handover.asked} devices still here`])
  return [...rows.map(([name, text]) => `${name.padEnd(10)}${text}`), ...peerLines(now, paint)]
}

function peerLines({ failover }: GatewayStatus, paint: Paint): string[] {
  if (!failover) return []
  const { durability, degraded, peers } = failover
  const means = durability === 'local' ? 'on this disk' : degraded ? 'degraded: on this disk only' : 'on every disk'
  const rows = peers.map((peer): Cell[] => [
    { text: peer.gateway },
    peer.present ? { text: peer.leaving ? 'has left' : 'yes' } : { text: 'away', style: 'yellow' },
    { text: peer.inStep ? 'yes' : 'no' },
    { text: String(peer.behind) },
    { text: String(peer.holds) },
    { text: peer.takenOver ? 'yes' : 'no', ...(peer.takenOver && { style: 'yellow' as const }) },
  ])
  return [`durability ${durability} (${means})`, '', ...tableLines(TITLES, rows, paint)]
}

/** BEHIND: own records that it lacks. HOLDS: its readings here that the centre lacks. TAKEN OVER: done here in its place. */
const TITLES = ['PEER', 'PRESENT', 'IN STEP', 'BEHIND', 'HOLDS', 'TAKEN OVER']
