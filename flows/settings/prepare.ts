import { constants, copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Random } from '../../sync/runtime/index.ts'
import { keepSecrets } from './secrets.ts'
import { FLOW_FILE, type SettingsParts, settingsText } from './settings-text.ts'

export interface PrepareOptions extends Omit<SettingsParts, 'secrets'> {
  /** A flow file to begin with; null = an empty sheet. */
  example: string | null
  random: Random
}

export interface Prepared {
  settingsFile: string
  /** The administrator's password if it was made now; null when it was made before. */
  newPassword: string | null
}

/**
 * Makes a user folder that Node-RED can be started in. What is there already stays: flows, credentials, password.
 *
 * @throws OperatorError `FLOWS_SECRETS_DAMAGED`
 */
export async function prepare(options: PrepareOptions): Promise<Prepared> {
  const { userDir, example, random } = options
  await mkdir(userDir, { recursive: true, mode: 0o700 })
  const { newPassword, ...secrets } = await keepSecrets(userDir, random)
  const settingsFile = join(userDir, 'settings.cjs')
  await writeFile(settingsFile, settingsText({ ...options, secrets }), { mode: 0o600 })
  if (example !== null) await seed(example, join(userDir, FLOW_FILE))
  return { settingsFile, newPassword }
}

/** Only the first start gets the example: somebody who deleted it wants it gone. */
async function seed(example: string, target: string): Promise<void> {
  await copyFile(example, target, constants.COPYFILE_EXCL).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
}
