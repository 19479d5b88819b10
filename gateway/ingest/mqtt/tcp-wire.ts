import { writeSync } from 'node:fs'
import { Socket } from 'node:net'
import { Duplex } from 'node:stream'
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
 * A socket with a buffer of one's own stops reading at once when it is paused, and then does not see the connection break. This one reads on, as
 * any other does, until it holds enough.
 */
class WireSocket extends Socket {
  override pause(): this {
    return Duplex.prototype.pause.call(this) as this
  }
}

/**
 * The wire of a socket that a server has accepted; TCP or a Unix-domain socket. The server has to have `pauseOnConnect`, or what comes first may
 * have been read already. Node reads into one's own buffer on sockets that connect (`onread`), but on those that a server accepts only if
 * they are made anew.
 *
 * @param accepted not to be used any more: its connection is that of the wire's stream
 */
export function tcpWire(accepted: Socket): Wire<Socket> {
  const { _handle: handle, _server: server } = accepted as Insides
  if (!handle?.useUserBuffer || !server) return streamWire(accepted)
  let take: (bytes: Buffer) => void = () => undefined
  const stream = new WireSocket({
    handle,
    manualStart: true,
    onread: {
      buffer: INBOX,
      callback: (length: Bytes) => {
        const bytes = INBOX.subarray(0, length)
        // It rests, or is about to give what it held meanwhile.
        if (stream.isPaused() || stream.readableLength > 0) return stream.push(Buffer.from(bytes))
        take(bytes)
        return true
      },
    },
  } as object)
  const [from, to] = [accepted as Insides, stream as Insides]
  to._server = server
  from._server = null
  from._handle = null
  stream.pause()
  return {
    stream,
    read(callback) {
      take = callback
      stream.on('data', callback)
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
    // It takes nothing now (EAGAIN), or never again (EPIPE): the stream will find out which.
    return 0
  }
}
