import { verifyOutbox } from '../../outbox/index.ts'
import { levelDisk } from '../../ports/index.ts'
import { roughBytes } from '../amounts.ts'
import { defineCommand, EXIT } from '../command.ts'
import { configOption } from '../config-file.ts'
import { dataDir, dataOption } from '../data-dir.ts'
import { describeFinding, showFinding, walkProgress } from '../findings.ts'
import { flag } from '../option.ts'

export const outboxVerify = defineCommand({
  name: 'outbox verify',
  summary: 'Check every block of an outbox while its gateway is stopped.',
  usage: '[--config FILE | --data DIR] [--json]',
  description:
    'Checksums, offsets without undeclared holes, and the running checksum from block to block. Changes nothing; `tidegate outbox repair` mends what it finds. What was set aside or declared before is no new damage.',
  options: {
    config: configOption,
    data: dataOption,
    json: flag('Print what was looked at, and every finding, as one JSON object.'),
  },
  examples: [
    { command: 'tidegate outbox verify --data /var/lib/tidegate', effect: 'says what is damaged, if anything' },
  ],
  exitCodes: {
    1: 'something is damaged or missing',
    3: 'there is no outbox, a gateway has it open, or it cannot be opened (see `tidegate outbox repair`)',
  },
  async run({ stdout, stderr, env }, { options }) {
    const progress = walkProgress(stderr)
    const { findings, ...seen } = await verifyOutbox(levelDisk, await dataDir(options, env), progress.show)
    progress.end()
    if (options.json) stdout.write(`${JSON.stringify({ ...seen, findings: findings.map(showFinding) })}\n`)
    else {
      for (const finding of findings) stdout.write(`${describeFinding(finding)}\n`)
      const what = `${seen.records} records in ${seen.blocks} blocks, ${roughBytes(seen.bytes)}`
      stdout.write(findings.length === 0 ? `${what}: all sound\n` : `${what}: ${findings.length} findings\n`)
    }
    return findings.length === 0 ? EXIT.ok : EXIT.failed
  },
})
