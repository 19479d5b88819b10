import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { OperatorError } from '../../sync/contract/index.ts'
import type { Random } from '../../sync/runtime/index.ts'

/** What protects the editor. Kept in the user folder, for its owner only. */
export interface Secrets {
  /** Encrypts the credentials of flows at rest. Losing it means typing them in again. */
  credentialSecret: string
  /** bcrypt; the password itself is kept nowhere. */
  passwordHash: string
}

export interface KeptSecrets extends Secrets {
  /** The administrator's password, at the one moment when it is known; null later. */
  newPassword: string | null
}

const FILE = 'tidegate-secrets.json'
const BCRYPT_ROUNDS = 10

/**
 * The secrets of this user folder, made at its first start.
 *
 * @throws OperatorError `FLOWS_SECRETS_DAMAGED` when the file is there but cannot be read
 */
export async function keepSecrets(userDir: string, random: Random): Promise<KeptSecrets> {
  const file = join(userDir, FILE)
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (text !== null) return { ...read(text, file), newPassword: null }
  const newPassword = random.hex(12)
  const secrets: Secrets = { credentialSecret: random.hex(32), passwordHash: await hash(newPassword) }
  await mkdir(userDir, { recursive: true, mode: 0o700 })
  await writeFile(`${file}.new`, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 })
  await chmod(`${file}.new`, 0o600)
  await rename(`${file}.new`, file)
  return { ...secrets, newPassword }
}

function read(text: string, file: string): Secrets {
  try {
    const { credentialSecret, passwordHash } = JSON.parse(text) as Partial<Secrets>
    if (typeof credentialSecret === 'string' && typeof passwordHash === 'string') {
      return { credentialSecret, passwordHash }
    }
  } catch {
    // Said below.
  }
  throw new OperatorError(
    'FLOWS_SECRETS_DAMAGED',
    `expected credentialSecret and passwordHash in ${file}; remove the file to have a new password made (credentials of flows have to be typed in again)`,
  )
}

async function hash(password: string): Promise<string> {
  // As optional as Node-RED itself, which brings it.
  const { default: bcrypt } = await import('bcryptjs')
  return await bcrypt.hash(password, BCRYPT_ROUNDS)
}
