import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePorts } from '../../../simulators/central/index.ts'
import { systemRandom } from '../../../sync/runtime/index.ts'
import type { Scope } from '../scope.ts'

/** Debian puts it where only root's PATH looks. */
const ENV = { ...process.env, PATH: `${process.env['PATH'] ?? ''}${delimiter}/usr/sbin${delimiter}/usr/local/sbin` }

const LISTENS_WITHIN = 10_000

/** `2.0.11`; null when it is not installed. */
export function mosquittoVersion(): Promise<string | null> {
  return new Promise((resolve) => {
    // It prints its usage, and its version first, and exits with an error: only the text matters.
    execFile('mosquitto', ['-h'], { env: ENV }, (_error, stdout) => {
      resolve(/mosquitto version (\S+)/.exec(stdout)?.[1] ?? null)
    })
  })
}

/**
 * A mosquitto set up as Debian's package does it: persistence on, saved every half hour and at its end. (So its PUBACK says
 * that the message is in memory.)
 */
export async function startMosquitto(scope: Scope): Promise<{ port: number; pid: number }> {
  const dir = await scope.folder()
  const [port = 0] = await freePorts(1, systemRandom)
  const config = join(dir, 'mosquitto.conf')
  const persistence = join(dir, 'persistence')
  await mkdir(persistence)
  const lines = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'persistence true',
    `persistence_location ${persistence}/`,
    `log_dest file ${join(dir, 'mosquitto.log')}`,
    // Started by root, it would become user mosquitto, who may not write here.
    ...(process.getuid?.() === 0 ? ['user root'] : []),
  ]
  await writeFile(config, `${lines.join('\n')}\n`)
  const child = spawn('mosquitto', ['-c', config], { stdio: 'ignore', env: ENV })
  const ended = once(child, 'exit')
  await scope.defer(async () => {
    child.kill('SIGTERM')
    await ended
  })
  const deadline = Date.now() + LISTENS_WITHIN
  while (!(await accepts(port))) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`mosquitto does not listen; see ${dir}`)
    await delay(20)
  }
  return { port, pid: child.pid ?? 0 }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const answer = (yes: boolean): void => {
      socket.destroy()
      resolve(yes)
    }
    socket.once('connect', () => answer(true))
    socket.once('error', () => answer(false))
  })
}
