#!/usr/bin/env node
// First, and apart from the others: imports run in the order in which they stand.
import './before-loading.ts'

import { systemClock } from '../../sync/runtime/index.ts'
import { runCommandLine } from './cli.ts'
import { EXIT } from './command.ts'
import { COMMANDS } from './commands/index.ts'
import { interruptHandler, STOP_SIGNALS } from './interrupts.ts'
import { packageVersion } from './version.ts'

const { stdin, stdout, stderr, env, argv } = process

const controller = new AbortController()
const interrupt = interruptHandler(
  systemClock,
  () => controller.abort(),
  () => {
    stderr.write('stopped at once: whatever was not finished is picked up at the next start\n')
    process.exit(EXIT.interrupted)
  },
)
for (const signal of STOP_SIGNALS) process.on(signal, interrupt)

// The reader went away (`tidegate tail | head`): nobody is left to write to, so stop cleanly. Anything else is a real error.
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  controller.abort()
})

const context = {
  stdin,
  stdout,
  stderr,
  isTTY: stdout.isTTY === true,
  env,
  clock: systemClock,
  signal: controller.signal,
}
const exitCode = await runCommandLine(COMMANDS, argv.slice(2), context, packageVersion())

// Exits even if something still holds the event loop, but only when the last line is out.
stdout.write('', () => process.exit(exitCode))
