import { repairOutbox } from '../../outbox/index.ts'
import { levelDisk } from '../../ports/index.ts'
import { defineCommand, EXIT } from '../command.ts'
import { configOption } from '../config-file.ts'
import { dataDir, dataOption } from '../data-dir.ts'
import { describeFinding, showFinding, walkProgress } from '../findings.ts'
import { flag } from '../option.ts'

export const outboxRepair = defineCommand({
  name: 'outbox repair',
  summary: 'Make a damaged outbox work again, with everything that can still be read.',
  usage: '[--config FILE | --data DIR] [--json]',
  description:
    "Rebuilds LevelDB's index if the store does not open (after a copy of what is left of it), writes the marker file again, sets damaged blocks aside and declares what is missing, so that the centre learns of it. Deletes no data, says what it did, and is safe to repeat. The gateway must be stopped.",
  options: {
    config: configOption,
    data: dataOption,
    json: flag('Print what was done, and what is left to judge, as one JSON object.'),
  },
  examples: [
    { command: 'tidegate outbox repair --data /var/lib/tidegate', effect: 'mends what can be mended, and says so' },
  ],
  exitCodes: {
    0: 'it is in order now',
    1: 'blocks are left that contradict each other: a person has to judge',
    3: 'nothing could be done: there is no outbox, a gateway has it open, or nothing of it is left',
  },
  async run({ stdout, stderr, env, clock }, { options }) {
    const progress = walkProgress(stderr)
    const report = await repairOutbox(levelDisk, await dataDir(options, env), {
      now: clock.now(),
      progress: progress.show,
      did: (action) => void (options.json || stdout.write(`${action}\n`)),
    })
    progress.end()
    const { actions, remaining } = report
    if (options.json) stdout.write(`${JSON.stringify({ actions, remaining: remaining.findings.map(showFinding) })}\n`)
    else {
      for (const finding of remaining.findings) stdout.write(`left as it is: ${describeFinding(finding)}\n`)
      if (actions.length === 0 && remaining.findings.length === 0) stdout.write('nothing to repair\n')
      else stdout.write(`${remaining.records} records in ${remaining.blocks} blocks can be read\n`)
    }
    return remaining.findings.length === 0 ? EXIT.ok : EXIT.failed
  },
})
