import { startCentral } from '../../../../simulators/central/index.ts'

/** Starts a server in the given folder, says its process id, and never ends by itself. */
const server = await startCentral({ dir: process.argv[2] ?? '' })
process.stdout.write(`${server.pid}\n`)
setInterval(() => {}, 1_000_000)
