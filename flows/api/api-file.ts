import { readFile } from 'node:fs/promises'
import { GatewayAwayError } from './errors.ts'

/** Where the gateway's HTTP API is, and what lets us in. */
export interface ApiAddress {
  url: string
  token: string
}

/**
 * Reads the gateway's `api.json`. Read anew for every connection: a restarted gateway has another port and another token.
 *
 * @throws GatewayAwayError when the file is not there: the gateway has not started yet, or has stopped
 */
export async function readApiFile(file: string): Promise<ApiAddress> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new GatewayAwayError(`the gateway does not run: there is no ${file}`, cause)
  })
  try {
    const { url, token } = JSON.parse(text) as Partial<ApiAddress>
    if (typeof url === 'string' && typeof token === 'string') return { url, token }
  } catch {
    // Half written: the next look finds it whole.
  }
  throw new GatewayAwayError(`expected url and token in ${file}`)
}
