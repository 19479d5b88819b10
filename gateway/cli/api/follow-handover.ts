import { OperatorError, RetryableError } from '../../../sync/contract/index.ts'
import type { HandoverReport, HandoverStatus } from '../../observe/index.ts'
import type { ApiClient } from './client.ts'
import { EventStreamParser } from './server-sent-events.ts'

export interface HandoverOptions {
  client: ApiClient
  /** With its unit. */
  timeout: string
  /** The process is to end then. */
  stop: boolean
  signal: AbortSignal
  onProgress(status: HandoverStatus): void
}

/**
 * Asks a gateway to hand over, and follows it to its end.
 *
 * @throws TidegateError with the code of the gateway
 */
export async function followHandover(options: HandoverOptions): Promise<HandoverReport> {
  const { client, timeout, stop, signal, onProgress } = options
  const pieces = await client.open({ method: 'POST', path: '/handover', body: { timeout, stop } }, signal)
  const parser = new EventStreamParser()
  const decoder = new TextDecoder()
  for await (const piece of pieces)
    for (const { event, data } of parser.push(decoder.decode(piece, { stream: true }))) {
      if (event === 'progress') onProgress(JSON.parse(data) as HandoverStatus)
      else if (event === 'done') return JSON.parse(data) as HandoverReport
      else if (event === 'failed') {
        const { code, message } = (JSON.parse(data) as { error: { code: string; message: string } }).error
        throw new RetryableError(code, message)
      }
    }
  throw new OperatorError('API_UNREACHABLE', 'the gateway ended the connection before it had handed over; see its log')
}
