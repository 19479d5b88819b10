/**
 * A consumer as a process of its own that kills itself with SIGKILL at a given value.
 *
 *     crashing-consumer.ts URL SITE DURABLE FILE DIE_AT stored | transactional
 *
 * `stored`: the handler writes what it saw to FILE.seen, the library saves the position to FILE.
 * `transactional`: the handler writes the position and what it saw to FILE in one write.
 */
import { appendFileSync } from 'node:fs'
import { consume } from '../../../sync/index.ts'
import { filePositions } from './file-positions.ts'

const [servers = '', site = '', durable = '', file = '', dieAt = '', mode = ''] = process.argv.slice(2)
const transactional = mode === 'transactional'

await consume({
  servers,
  site,
  durable,
  ackWait: 1_000,
  positions: filePositions(file, transactional),
  handler: ({ value }, { position }) => {
    if (transactional) appendFileSync(file, `${position.origin} ${position.offset} ${value}\n`)
    else appendFileSync(`${file}.seen`, `${value}\n`)
    if (value === Number(dieAt)) process.kill(process.pid, 'SIGKILL')
  },
})
