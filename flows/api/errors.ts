import { OperatorError, RetryableError } from '../../sync/contract/index.ts'

/** One thing that is wrong with what was sent. */
export interface Problem {
  /** `rules[0].above` */
  path: string
  message: string
}

/** The gateway is not there, or not ready: `GATEWAY_AWAY`. Nothing is wrong with what was asked. */
export class GatewayAwayError extends RetryableError {
  constructor(message: string, cause?: unknown) {
    super('GATEWAY_AWAY', message, cause === undefined ? undefined : { cause })
  }
}

/** The gateway does not do what was asked, and will not if it is asked again. `code` is the gateway's own. */
export class GatewayRefusedError extends OperatorError {
  readonly status: number
  readonly problems: readonly Problem[]

  constructor(status: number, code: string, message: string, problems: readonly Problem[]) {
    super(code, message)
    this.status = status
    this.problems = problems
  }
}
