import { join } from 'node:path'
import { OperatorError } from '../../sync/contract/index.ts'
import type { Random } from '../../sync/runtime/index.ts'
import type { Disk, KeyValueStore, WriteOp } from '../ports/index.ts'
import { EVERYTHING, namedKey } from './keys.ts'
import { decodeNote, encodeNote } from './note.ts'

export interface Owner {
  site: string
  gateway: string
}

/** Whose outbox this is, and under which epoch its records are numbered. */
export interface Identity extends Owner {
  format: typeof FORMAT
  epoch: string
}

const FORMAT = 1
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
 *   `OUTBOX_FORMAT`, `OUTBOX_IDENTITY_LOST`
 */
export async function openIdentified(
  disk: Disk,
  dir: string,
  owner: Owner,
  random: Random,
  compression: boolean,
): Promise<{ store: KeyValueStore; identity: Identity }> {
  const marker = await disk.readFile(layout.marker(dir))
  const store = await disk.openStore(layout.store(dir), { create: marker === null, compression })
  try {
    const found = await findIdentity(store, marker, dir)
    if (found === null && marker !== null) throw emptied(dir)
    const identity = found ?? { format: FORMAT, ...owner, epoch: newEpoch(random) }
    if (identity.site !== owner.site || identity.gateway !== owner.gateway)
      throw new OperatorError(
        'OUTBOX_OF_ANOTHER',
        `the outbox in '${dir}' belongs to gateway '${identity.gateway}' of site '${identity.site}', not to '${owner.gateway}' of '${owner.site}'; choose another dataDir or mend the configuration`,
      )
    await recordIdentity(disk, store, dir, identity)
    return { store, identity }
  } catch (error) {
    await store.close()
    throw error
  }
}

/**
 * Whose outbox this is; null for an empty store.
 *
 * @param marker text of the marker file: it says so too, should the store's own note be damaged
 * @throws OperatorError `OUTBOX_FORMAT`, `OUTBOX_IDENTITY_LOST`
 */
export async function findIdentity(store: KeyValueStore, marker: string | null, dir: string): Promise<Identity | null> {
  const noted = decodeNote<Partial<Identity>>(await store.get(IDENTITY_KEY))
  if (noted) return checkIdentity(noted, dir)
  for await (const _ of store.keys(EVERYTHING)) {
    const marked = parseMarker(marker)
    if (marked) return checkIdentity(marked, dir)
    throw new OperatorError(
      'OUTBOX_IDENTITY_LOST',
      `the outbox in '${dir}' cannot say whose it is, and neither can outbox.json there; restore that file from a copy`,
    )
  }
  return null
}

/** Makes store and marker file say the same; returns what of it had to be written. */
export async function recordIdentity(
  disk: Disk,
  store: KeyValueStore,
  dir: string,
  identity: Identity,
): Promise<{ store: boolean; marker: boolean }> {
  const op = identityOp(identity)
  const outdated = !(await store.get(IDENTITY_KEY))?.equals(op.value)
  if (outdated) await store.write([op], { sync: true })
  return { store: outdated, marker: await writeMarker(disk, dir, identity) }
}

/** Returns false when the marker file says so already. */
export async function writeMarker(disk: Disk, dir: string, identity: Identity): Promise<boolean> {
  const text = `${JSON.stringify(identity)}\n`
  if ((await disk.readFile(layout.marker(dir))) === text) return false
  await disk.writeFile(layout.marker(dir), text)
  return true
}

export function identityOp(identity: Identity): Extract<WriteOp, { type: 'put' }> {
  return { type: 'put', key: IDENTITY_KEY, value: encodeNote(identity) }
}

export function emptied(dir: string): OperatorError {
  return new OperatorError(
    'OUTBOX_EMPTIED',
    `'${dir}' has held an outbox (see outbox.json there) and is empty now; restore it, or delete the folder to begin anew (what was not forwarded is lost then)`,
  )
}

function parseMarker(text: string | null): Partial<Identity> | null {
  try {
    return JSON.parse(text ?? 'null') as Partial<Identity> | null
  } catch {
    // Not swallowed: without it the caller says that the identity is lost.
    return null
  }
}

function checkIdentity({ format, site, gateway, epoch }: Partial<Identity>, dir: string): Identity {
  if (format !== FORMAT || site === undefined || gateway === undefined || epoch === undefined)
    throw new OperatorError(
      'OUTBOX_FORMAT',
      `the outbox in '${dir}' has format ${String(format)}; this version reads format ${FORMAT}`,
    )
  return { format, site, gateway, epoch }
}
