import { writeSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Bytes } from '../../../sync/contract/index.ts'
import { streamWire, type Wire } from './wire.ts'

/**
 * What is read in one go. One for all: what has come is dealt with before the next is read. With a buffer of its own for each read, most
 * of what a small one costs is to allocate 64 KiB for it.
 */
const INBOX = Buffer.allocUnsafeSlow(64 * 1024)

/** What Node does not document, in 20, 22 and 24 alike. Where it is otherwise, the socket is used as it is. */
interface Handle {
  /** Of the file; -1 once it is closed. */
  readonly fd: number
  useUserBuffer?(buffer: Uint8Array): void
}

interface Insides {
  _handle?: Handle | null
  /** The server that counts it, and waits for it to close. */
  _server?: unknown
}

/**
 * The wire of a socket that a server has accepted, with `pauseOnConnect`; TCP or a Unix-domain socket. Node reads into one's own buffer on
 * sockets that connect (`onread`), but on those that a server accepts only if they are made anew.
 *
 * @param accepted not to be used any more: its connection is that of the wire's stream
 */
export function tcpWire(accepted: Socket): Wire<Socket> {
  const { _handle: handle = null, _server: server } = accepted as Insides
  if (handle === null || handle.useUserBuffer === undefined || server === undefined) return streamWire(accepted)
  let take: (bytes: Buffer) => void = () => undefined
  const stream = new Socket({
    handle,
    manualStart: true,
    onread: {
      buffer: INBOX,
      callback: (length: Bytes) => {
        take(INBOX.subarray(0, length))
        return true
      },
    },
  } as object)
  const [from, to] = [accepted as Insides, stream as Insides]
  to._server = server
  from._server = null
  from._handle = null
  return {
    stream,
    read(callback) {
      take = callback
    },
    writeNow: (bytes) => (stream.writable && stream.writableLength === 0 ? writeNow(stream, bytes) : 0),
  }
}

function writeNow(stream: Socket, bytes: Buffer): Bytes {
  const fd = (stream as Insides)._handle?.fd ?? -1
  if (fd < 0) return 0
  try {
    return writeSync(fd, bytes)
  } catch {
    // It takes nothing now (EAGAIN), or never again: the stream will find out which.
    return 0
  }
}
