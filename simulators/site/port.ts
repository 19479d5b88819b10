import { createServer } from 'node:net'
import type { Random } from '../../sync/runtime/index.ts'
import { freePorts } from '../central/index.ts'

/** Whether nobody listens on this port of the loopback interface. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

/** The wanted port if nobody has it, else any. */
export async function portOr(wanted: number | undefined, random: Random): Promise<number> {
  const [free = 0] = await freePorts(1, random)
  return wanted !== undefined && (await isFree(wanted)) ? wanted : free
}

/** So many ports: the wanted one and those that follow it, and any other for each of them that somebody has. */
export async function portsOr(wanted: number | undefined, count: number, random: Random): Promise<number[]> {
  const free = await freePorts(count, random)
  return await Promise.all(
    free.map(async (port, index) => (wanted !== undefined && (await isFree(wanted + index)) ? wanted + index : port)),
  )
}
