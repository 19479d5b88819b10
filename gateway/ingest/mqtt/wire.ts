import type { Duplex } from 'node:stream'
import type { Bytes } from '../../../sync/contract/index.ts'

/**
 * The bytes of one connection: a stream that begins, pauses and ends, and two ways past it for what comes and goes all day, which costs
 * more in a stream than in everything else that is done about it.
 */
export interface Wire<S extends Duplex = Duplex> {
  readonly stream: S
  /**
   * Calls `take` with what comes while the stream flows. A paused one holds what comes up to its high-water mark, and until then notices that
   * the connection breaks; pause it before, if nothing is to come yet. The bytes are valid during the call only: the next ones may lie in the
   * same place.
   */
  read(take: (bytes: Buffer) => void): void
  /**
   * Writes what the operating system takes at once, unless the stream still holds something that stands before it.
   *
   * @returns how much that was; the rest is for the stream, and so is telling what is wrong
   */
  writeNow(bytes: Buffer): Bytes
}

/** A stream by itself: TLS, WebSocket, or anything else. */
export const streamWire = <S extends Duplex>(stream: S): Wire<S> => ({
  stream,
  read: (take) => void stream.on('data', take),
  writeNow: () => 0,
})
