import { connect } from '@nats-io/transport-node'
import { describeError, OperatorError, UsageError } from '../../../sync/contract/index.ts'
import { defineCommand, EXIT } from '../command.ts'
import { duration, flag, integer, text } from '../option.ts'

export const verify = defineCommand({
  name: 'verify',
  summary: 'Compare the central streams with the ledger of a simulation: lost, doubled, reordered, invented.',
  usage: '--ledger FILE[,FILE...] [--server URL] [--settle DURATION] [--json]',
  description:
    'A reading counts as lost when a gateway acknowledged it and it is neither in READINGS nor declared missing nor in DEADLETTERS. Positions (origin, offset) of all packs are checked too.',
  options: {
    ledger: text('FILE', 'Ledgers written by `tidegate simulate`, separated by commas.'),
    server: text('URL', 'Central NATS server.', 'nats://127.0.0.1:4222'),
    settle: duration('Wait for what is still on its way until nothing new has come for this long.', '5s'),
    devices: integer('Rows of the table.', 0, 20),
    json: flag('Print the verdict as JSON.'),
  },
  examples: [{ command: 'tidegate verify --ledger run.ledger', effect: 'checks the run against the central streams' }],
  exitCodes: { 1: 'something was lost, doubled, reordered or invented' },
  async run({ stdout, stderr, signal, clock, isTTY }, { options }) {
    if (options.ledger === undefined)
      throw new UsageError(
        'OPTION_MISSING',
        'verify needs --ledger FILE, as written by `tidegate simulate --ledger FILE`',
      )
    const {
      formatVerdict,
      loadLedger,
      natsCentral,
      verify: verifyLedger,
    } = await import('../../../simulators/ledger/index.ts')
    const ledger = await loadLedger(options.ledger.split(','))
    const connection = await connect({ servers: options.server.split(',') }).catch((error: unknown) => {
      throw new OperatorError(
        'CENTRAL_UNREACHABLE',
        `cannot connect to ${options.server}: ${describeError(error)}; is it running, and is --server right?`,
        { cause: error },
      )
    })
    try {
      const verdict = await verifyLedger(ledger, natsCentral(connection, { clock }), {
        settle: options.settle,
        signal,
        clock,
        onProgress: ({ records }) => void (isTTY && !options.json && stderr.write(`\r${records} records read`)),
      })
      if (isTTY && !options.json) stderr.write('\n')
      stdout.write(`${options.json ? JSON.stringify(verdict) : formatVerdict(verdict, { devices: options.devices })}\n`)
      return verdict.exitCode === 0 ? EXIT.ok : EXIT.failed
    } finally {
      await connection.close()
    }
  },
})
