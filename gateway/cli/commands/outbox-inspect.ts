import type { Millis } from '../../../sync/contract/index.ts'
import type { Gap } from '../../../sync/forward/index.ts'
import { inspectOutbox, type LaneReport, type OutboxReport, REPORT_ORDER } from '../../outbox/index.ts'
import { levelDisk } from '../../ports/index.ts'
import { PART_KINDS, type PartKind, partKind } from '../../state/index.ts'
import { roughBytes, roughDuration } from '../amounts.ts'
import { defineCommand, EXIT } from '../command.ts'
import { configOption } from '../config-file.ts'
import { dataDir, dataOption } from '../data-dir.ts'
import { flag } from '../option.ts'

/** Holes that are listed one by one. */
const MOST_GAPS = 10

export const outboxInspect = defineCommand({
  name: 'outbox inspect',
  summary: 'Show what an outbox holds while its gateway is stopped.',
  usage: '[--config FILE | --data DIR] [--json]',
  description:
    'Whose it is, and for each lane what was forwarded, what waits, what is missing and what was set aside. Opens the store as a start of the gateway would, and changes nothing in it. While a gateway runs, its own status (`tidegate run --json`) says the same.',
  options: {
    config: configOption,
    data: dataOption,
    json: flag('Print everything as one JSON object.'),
  },
  examples: [
    { command: 'tidegate outbox inspect', effect: 'shows the outbox of the gateway configured in tidegate.yaml' },
    { command: 'tidegate outbox inspect --data /mnt/old-card/tidegate', effect: 'looks at the card of a dead gateway' },
  ],
  exitCodes: {
    3: 'there is no outbox, a gateway has it open, or it cannot be opened (see `tidegate outbox repair`)',
  },
  async run({ stdout, env, clock }, { options }) {
    const report = await inspectOutbox(levelDisk, await dataDir(options, env), { all: PART_KINDS, of: partKind })
    const { dir, identity, parts, ...rest } = report
    stdout.write(
      options.json ? `${JSON.stringify({ dir, identity, ...parts, ...rest })}\n` : describe(report, clock.now()),
    )
    return EXIT.ok
  },
})

function describe({ dir, identity, parts, unreleased, lanes }: OutboxReport<PartKind>, now: Millis): string {
  const lines = [
    `outbox in ${dir}`,
    `  gateway ${identity.gateway} of site ${identity.site}, epoch ${identity.epoch}, format ${identity.format}`,
    `  ${parts.series} series, ${parts.alarms} groups of alarms, ${unreleased} QoS 2 publishes not yet released`,
  ]
  for (const lane of REPORT_ORDER) lines.push(lane, ...describeLane(lanes[lane], now).map((line) => `  ${line}`))
  return `${lines.join('\n')}\n`
}

function describeLane(lane: LaneReport, now: Millis): string[] {
  const { head, forwarded, pending, missing, cursor, tail, storedBytes, pendingBytes, oldestPending } = lane
  const lines = [
    `${head} accepted = ${forwarded} forwarded + ${pending} pending + ${missing} missing`,
    `next to forward: ${cursor.next}; kept: from ${tail} on, ${roughBytes(storedBytes)}`,
  ]
  if (oldestPending !== null)
    lines.push(
      `pending: ${roughBytes(pendingBytes)}, the oldest since ${new Date(oldestPending).toISOString()} (${roughDuration(Math.max(0, now - oldestPending))})`,
    )
  lines.push(...describeGaps(lane.gaps))
  for (const { first, bytes } of lane.quarantined) lines.push(`set aside: block ${first}, ${roughBytes(bytes)}`)
  return lines
}

function describeGaps(gaps: readonly Gap[]): string[] {
  const shown = gaps.slice(0, MOST_GAPS).map(({ from, to, reason }) => `missing: ${from}-${to}, ${reason}`)
  return gaps.length > MOST_GAPS
    ? [...shown, `missing: ${gaps.length - MOST_GAPS} more holes (--json shows all)`]
    : shown
}
