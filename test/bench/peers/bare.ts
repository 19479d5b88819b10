import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Scope } from '../scope.ts'

/** A server in a process of its own that acknowledges everything and does nothing, see `bare-server.ts`. */
export async function startBare(scope: Scope): Promise<{ port: number; pid: number }> {
  const child = spawn(process.execPath, [`${import.meta.dirname}/bare-server.js`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  await scope.defer(async () => {
    child.kill('SIGTERM')
    await ended
  })
  const lines = createInterface(child.stdout)
  const [line] = (await Promise.race([once(lines, 'line'), ended])) as [unknown]
  const port = Number(line)
  if (typeof line !== 'string' || !(port > 0)) throw new Error('the bare server did not say where it listens')
  return { port, pid: child.pid ?? 0 }
}
