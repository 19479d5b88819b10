import { createServer } from 'node:net'
import { tcpWire } from '../../../gateway/ingest/mqtt/tcp-wire.ts'

/**
 * What any MQTT server on Node.js costs at least: reads packets and answers them, the same way our gateway reads and writes, and does
 * nothing else. It looks at no topic and at no payload, and forgets everything. Prints its port.
 */

const PACKETS = { connect: 1, publish: 3, pingreq: 12 } as const
const CONNACK = Buffer.from([0x20, 2, 0, 0])
const PINGRESP = Buffer.from([0xd0, 0])
const PUBACK = 0x40
const NOTHING = Buffer.alloc(0)

const server = createServer({ noDelay: true, pauseOnConnect: true }, (socket) => {
  const { stream, read, writeNow } = tcpWire(socket)
  const send = (bytes: Buffer): void => {
    const written = writeNow(bytes)
    if (written < bytes.length) stream.write(Buffer.from(bytes.subarray(written)))
  }
  let rest = NOTHING
  read((bytes) => {
    const data = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
    const answers: Buffer[] = []
    let at = 0
    for (let frame = frameAt(data, at); frame !== null; frame = frameAt(data, at)) {
      const answer = answerTo(data, frame)
      if (answer !== null) answers.push(answer)
      at = frame.end
    }
    rest = at === data.length ? NOTHING : Buffer.from(data.subarray(at))
    const [first] = answers
    if (first !== undefined) send(answers.length === 1 ? first : Buffer.concat(answers))
  })
  stream.on('error', () => stream.destroy())
  stream.resume()
})

interface Frame {
  type: number
  flags: number
  body: number
  end: number
}

/** The packet that begins there (MQTT 3.1.1 §2.2); null while it is not whole. */
function frameAt(data: Buffer, at: number): Frame | null {
  const first = data[at]
  if (first === undefined) return null
  let length = 0
  for (let i = 1; i <= 4; i++) {
    const byte = data[at + i]
    if (byte === undefined) return null
    length += (byte & 0x7f) << (7 * (i - 1))
    if (byte >= 0x80) continue
    const body = at + i + 1
    return body + length > data.length ? null : { type: first >> 4, flags: first & 0x0f, body, end: body + length }
  }
  return null
}

function answerTo(data: Buffer, { type, flags, body }: Frame): Buffer | null {
  if (type === PACKETS.connect) return CONNACK
  if (type === PACKETS.pingreq) return PINGRESP
  if (type !== PACKETS.publish || (flags & 0x06) === 0) return null
  const id = body + 2 + data.readUInt16BE(body)
  return Buffer.from([PUBACK, 2, data[id] ?? 0, data[id + 1] ?? 0])
}

server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') process.stdout.write(`${address.port}\n`)
})
