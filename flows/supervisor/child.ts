import { type ChildProcess, spawn } from 'node:child_process'
import { endWithThisProcess } from '../../sync/runtime/index.ts'
import { type FlowsLogEntry, LogLines } from './log-lines.ts'

/** How to start Node-RED. */
export interface FlowsCommand {
  program: string
  args: readonly string[]
  cwd: string
  /** All of it: nothing is inherited, so that the gateway's own secrets stay its own. */
  env: Readonly<Record<string, string>>
}

/** A started process. */
export interface FlowsChild {
  readonly pid: number | null
  /** Resolves when it is gone, with what there is to say about it. */
  readonly ended: Promise<string>
  kill(signal: NodeJS.Signals): void
}

/** Starts Node-RED in a process group of its own. It ends when this process ends, however that comes. */
export function startChild(command: FlowsCommand, log: (entry: FlowsLogEntry) => void): FlowsChild {
  const { program, args, cwd, env } = command
  const child = spawn(program, [...args], { cwd, env: { ...env }, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const letGo = child.pid === undefined ? (): void => {} : endWithThisProcess(child.pid)
  forward(child.stdout, new LogLines('info', log))
  forward(child.stderr, new LogLines('warn', log))
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => {
      letGo()
      resolve(signal === null ? `it ended with code ${code}` : `it was ended by ${signal}`)
    })
    child.once('error', (error) => {
      letGo()
      resolve(`it could not be started: ${error.message}`)
    })
  })
  return { pid: child.pid ?? null, ended, kill: (signal) => void signalGroup(child, signal) }
}

function forward(stream: NodeJS.ReadableStream, lines: LogLines): void {
  stream.setEncoding('utf8')
  stream.on('data', (chunk: string) => lines.take(chunk))
  stream.on('end', () => lines.end())
}

/** The whole group: a node may have started processes of its own. */
function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // Gone between the look and the signal.
  }
}
