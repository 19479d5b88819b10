import { createServer, type Server } from 'node:net'
import { OperatorError } from '../../sync/contract/index.ts'
import type { Random } from '../../sync/runtime/index.ts'

/**
 * Below the range that operating systems take the local ends of outgoing connections from. A port inside it could be gone
 * when a server comes back to it, and a client that keeps dialling it while nobody listens will sooner or later be given
 * that very port for its own end and find itself connected to itself.
 */
const FIRST = 20_000
const LAST = 29_999

const ATTEMPTS = 100

/**
 * Distinct TCP ports of the loopback interface that nobody listens on at this moment.
 *
 * @throws OperatorError `PORT_NONE_FREE`
 */
export async function freePorts(count: number, random: Random): Promise<number[]> {
  const held: Server[] = []
  const ports: number[] = []
  try {
    for (let attempt = 0; ports.length < count; attempt++) {
      if (attempt >= ATTEMPTS + count) {
        throw new OperatorError('PORT_NONE_FREE', `expected a free port between ${FIRST} and ${LAST}, found none`)
      }
      const port = FIRST + Math.floor(random.next() * (LAST - FIRST + 1))
      const server = await listen(port)
      if (server === null) continue
      held.push(server)
      ports.push(port)
    }
    return ports
  } finally {
    await Promise.all(held.map((server) => new Promise((closed) => server.close(closed))))
  }
}

/** A listener, or null when the port is taken. */
function listen(port: number): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(null))
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}
