import { randomBytes } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { OperatorError } from '../../sync/contract/index.ts'

/** Where the API of a running gateway is, and what opens it. */
export interface ApiFile {
  url: string
  token: string
}

const NAME = 'api.json'

/** Only whoever may read the gateway's data may command it. */
const OWNER_ONLY = 0o600

/**
 * The file that says how to reach the gateway which runs on `dataDir`.
 *
 * @throws OperatorError `API_NOT_FOUND` when none runs, or its file may not be read
 */
export async function readApiFile(dataDir: string): Promise<ApiFile> {
  try {
    return JSON.parse(await readFile(join(dataDir, NAME), 'utf8')) as ApiFile
  } catch (cause) {
    throw new OperatorError(
      'API_NOT_FOUND',
      `cannot read ${join(dataDir, NAME)} (${(cause as NodeJS.ErrnoException).code ?? 'not JSON'}); is the gateway running, and may you read its data?`,
      { cause },
    )
  }
}

/** The token stays the same from start to start, so that what was set up with it goes on working. */
export async function tokenOf(dataDir: string): Promise<string> {
  const file = join(dataDir, 'api-token')
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    const token = randomBytes(24).toString('base64url')
    await writeFile(file, `${token}\n`, { mode: OWNER_ONLY })
    return token
  }
}

export async function writeApiFile(dataDir: string, content: ApiFile): Promise<void> {
  const file = join(dataDir, NAME)
  await writeFile(`${file}.new`, `${JSON.stringify(content)}\n`, { mode: OWNER_ONLY })
  await rename(`${file}.new`, file)
}

export const removeApiFile = (dataDir: string): Promise<void> => rm(join(dataDir, NAME), { force: true })
