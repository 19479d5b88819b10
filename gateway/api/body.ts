import type { Context } from 'hono'
import { UsageError } from '../../sync/contract/index.ts'

/** @throws UsageError `API_BODY` when it is not JSON */
export async function jsonBody(c: Context): Promise<unknown> {
  const text = await c.req.text()
  try {
    return JSON.parse(text) as unknown
  } catch (cause) {
    throw new UsageError('API_BODY', `expected JSON in the body: ${(cause as Error).message}`, { cause })
  }
}
