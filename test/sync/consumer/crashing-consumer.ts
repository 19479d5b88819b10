/**
 * A consumer with its positions in a file, as a process of its own: kills itself with SIGKILL while it handles a record.
 *
 *     crashing-consumer.ts URL SITE DURABLE FILE DIE_AT
 */
import { appendFileSync } from 'node:fs'
import { consume } from '../../../sync/index.ts'
import { filePositions } from './file-positions.ts'

const [servers = '', site = '', durable = '', file = '', dieAt = ''] = process.argv.slice(2)

await consume({
  servers,
  site,
  durable,
  ackWait: 1_000,
  positions: filePositions(file),
  handler: ({ value }) => {
    appendFileSync(`${file}.seen`, `${value}\n`)
    if (value === Number(dieAt)) process.kill(process.pid, 'SIGKILL')
  },
})
