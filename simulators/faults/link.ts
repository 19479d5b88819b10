import { connect, type Socket } from 'node:net'
import type { Direction } from './fault.ts'
import { frameFilter, type Protocol } from './frames.ts'
import { Pipe, type PipeContext } from './pipe.ts'

export interface LinkOptions {
  target: { host: string; port: number }
  protocol: Protocol | undefined
  contexts: Readonly<Record<Direction, PipeContext>>
  /** The link is over; called once. */
  onClosed: () => void
}

/**
 * One connection through the proxy: a client, a server, and a pipe each way.
 *
 * - `open`: both pipes carry; an end or an error of one side is passed on to the other, as far as the network lets it through;
 * - `torn`: something was swallowed, so the link can never carry again: `heal` resets it as soon as the network would;
 * - `closed`: both sockets are gone.
 */
export class Link {
  readonly #client: Socket
  readonly #server: Socket
  readonly #toServer: Pipe
  readonly #toClient: Pipe
  readonly #options: LinkOptions
  /** An error that one side must not hear of yet, because nothing gets through. */
  #hushed = false
  #closed = false

  constructor(client: Socket, options: LinkOptions) {
    this.#client = client
    this.#options = options
    this.#server = connect({ ...options.target, allowHalfOpen: true })
    for (const socket of [this.#client, this.#server]) socket.setNoDelay(true)
    const { toServer, toClient } = options.contexts
    this.#toServer = new Pipe(this.#client, this.#server, toServer)
    const filter = options.protocol === undefined ? undefined : frameFilter(options.protocol)
    this.#toClient = new Pipe(this.#server, this.#client, toClient, filter)
    this.#watch(this.#client, 'toServer')
    this.#watch(this.#server, 'toClient')
  }

  /** Something of it was swallowed, in a direction in which nothing is swallowed now. */
  get mustBeReset(): boolean {
    const { toServer, toClient } = this.#options.contexts
    const clear = (context: PipeContext): boolean => context.conditions().passage[context.direction] !== 'swallow'
    return (
      (this.#toServer.broken && clear(toServer)) ||
      (this.#toClient.broken && clear(toClient)) ||
      (this.#hushed && clear(toServer) && clear(toClient))
    )
  }

  wake(): void {
    this.#toServer.wake()
    this.#toClient.wake()
  }

  /** RST to both sides: whatever waited is gone. */
  reset(): void {
    for (const socket of [this.#client, this.#server]) {
      if (!socket.destroyed) socket.resetAndDestroy()
    }
    this.#finish()
  }

  #watch(socket: Socket, outgoing: Direction): void {
    // The 'close' that follows every error says what there is to do.
    let failed = false
    socket.on('error', () => {
      failed = true
    })
    socket.on('close', () => {
      if (this.#closed) return
      const { conditions } = this.#options.contexts[outgoing]
      if (conditions().passage[outgoing] === 'swallow') this.#hushed = true
      else if (failed) this.reset()
      else if (this.#client.destroyed && this.#server.destroyed) this.#finish()
    })
  }

  #finish(): void {
    if (this.#closed) return
    this.#closed = true
    this.#toServer.stop()
    this.#toClient.stop()
    this.#options.onClosed()
  }
}
