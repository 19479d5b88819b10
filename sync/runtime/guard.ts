import { spawn } from 'node:child_process'

/** Waits until its standard input ends, which is when the parent is gone, however it went; then ends one process by its id. */
const SCRIPT = 'read -r _; kill -TERM "$1" 2>/dev/null && sleep 2 && kill -KILL "$1" 2>/dev/null'

/**
 * Ends process `pid` when this process is no more, also after SIGKILL, when nothing in here can run any more.
 *
 * @returns lets go of the process: call it when it has ended, before its id is given to another
 */
export function endWithThisProcess(pid: number): () => void {
  // A process group of its own: Ctrl-C in the terminal must not end the guard before the guarded.
  const guard = spawn('sh', ['-c', SCRIPT, 'guard', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  guard.unref()
  return () => {
    guard.kill('SIGKILL')
    guard.stdin.destroy()
  }
}
