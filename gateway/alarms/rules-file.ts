import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { describeError, type Millis } from '../../sync/contract/index.ts'
import { type Clock, pause } from '../../sync/runtime/index.ts'
import type { Log } from '../observe/index.ts'
import { readRules } from '../rules/index.ts'
import { type AlarmDesk, FILE_SET } from './desk.ts'

export interface RulesFileParts {
  /** null: no file is configured, and what an earlier one said does not hold any more. */
  file: string | null
  every: Millis
  desk: AlarmDesk
  clock: Clock
  log: Log
}

/**
 * Lets the rule set `file` follow a file. One that cannot be read or is not valid changes nothing: the last good one holds.
 *
 * @returns ends it; the first look at the file is done when this resolves
 */
export async function followRulesFile(parts: RulesFileParts): Promise<() => Promise<void>> {
  const { file, every, desk, clock, log } = parts
  const ended = new AbortController()
  let seen: string | null = null
  const look = async (): Promise<void> => {
    try {
      const text = file === null ? 'rules: []' : await readFile(file, 'utf8')
      if (text === seen) return
      const { given } = readRules(text, file === null ? 'no file' : basename(file))
      const { changed, revision } = await desk.putRules({ set: FILE_SET, given, ifRevision: null })
      seen = text
      if (changed) log.info({ file, revision }, 'the rules of the file hold')
    } catch (error) {
      const problem = describeError(error)
      if (problem !== said) log.error({ file, error: problem }, 'the rules of the file do not hold; those before do')
      said = problem
      return
    }
    said = null
  }
  let said: string | null = null
  await look()
  const following = (async () => {
    if (file === null) return
    while (!ended.signal.aborted) {
      await pause(clock, every, ended.signal)
      if (!ended.signal.aborted) await look()
    }
  })()
  return () => {
    ended.abort()
    return following
  }
}
