import { join } from 'node:path'
import { OperatorError } from '../../sync/contract/index.ts'
import type { Random } from '../../sync/runtime/index.ts'
import type { Disk, KeyValueStore } from '../ports/index.ts'
import { namedKey } from './keys.ts'

/** Whose outbox this is, and under which epoch its records are numbered. */
export interface Identity {
  format: 1
  site: string
  gateway: string
  epoch: string
}

const EPOCH_BYTES = 8
const IDENTITY_KEY = namedKey('m', 'identity')

/** Where things are below the data folder. */
export const layout = {
  marker: (dir: string): string => join(dir, 'outbox.json'),
  store: (dir: string): string => join(dir, 'db'),
  reserve: (dir: string): string => join(dir, 'reserve'),
}

export const newEpoch = (random: Random): string => random.hex(EPOCH_BYTES)

/**
 * Opens the store and checks that it is the one expected. The marker file beside it exists as soon as the store does:
 * without it LevelDB would open a store that lost its index as an empty one, and readings would be gone without a word.
 *
 * @throws OperatorError `STORE_MISSING`, `STORE_LOCKED`, `STORE_DAMAGED`, `OUTBOX_EMPTIED`, `OUTBOX_OF_ANOTHER`,
 *   `OUTBOX_FORMAT`
 */
export async function openIdentified(
  disk: Disk,
  dir: string,
  owner: { site: string; gateway: string },
  random: Random,
  compression: boolean,
): Promise<{ store: KeyValueStore; identity: Identity }> {
  await disk.makeFolder(dir)
  const marker = await disk.readFile(layout.marker(dir))
  const store = await disk.openStore(layout.store(dir), { create: marker === null, compression })
  try {
    const stored = await store.get(IDENTITY_KEY)
    if (!stored && marker !== null)
      throw new OperatorError(
        'OUTBOX_EMPTIED',
        `'${dir}' has held an outbox (see outbox.json there) and is empty now; restore it, run 'tidegate outbox repair', or delete the folder to begin anew`,
      )
    const identity = stored ? parseIdentity(stored, dir) : { format: 1 as const, ...owner, epoch: newEpoch(random) }
    if (identity.site !== owner.site || identity.gateway !== owner.gateway)
      throw new OperatorError(
        'OUTBOX_OF_ANOTHER',
        `the outbox in '${dir}' belongs to gateway '${identity.gateway}' of site '${identity.site}', not to '${owner.gateway}' of '${owner.site}'; choose another dataDir or mend the configuration`,
      )
    if (!stored) await store.write([{ type: 'put', key: IDENTITY_KEY, value: encode(identity) }], { sync: true })
    if (marker === null) await disk.writeFile(layout.marker(dir), `${JSON.stringify(identity)}\n`)
    return { store, identity }
  } catch (error) {
    await store.close()
    throw error
  }
}

/** What is stored about the owner; null in an empty store. */
export async function readIdentity(store: KeyValueStore, dir: string): Promise<Identity | null> {
  const stored = await store.get(IDENTITY_KEY)
  return stored ? parseIdentity(stored, dir) : null
}

export function identityOp(identity: Identity): { type: 'put'; key: Buffer; value: Buffer } {
  return { type: 'put', key: IDENTITY_KEY, value: encode(identity) }
}

const encode = (identity: Identity): Buffer => Buffer.from(JSON.stringify(identity), 'utf8')

function parseIdentity(stored: Buffer, dir: string): Identity {
  const identity = JSON.parse(stored.toString('utf8')) as Partial<Identity>
  const { format, site, gateway, epoch } = identity
  if (format !== 1 || site === undefined || gateway === undefined || epoch === undefined)
    throw new OperatorError(
      'OUTBOX_FORMAT',
      `the outbox in '${dir}' has format ${String(format)}; this version reads format 1`,
    )
  return { format, site, gateway, epoch }
}
