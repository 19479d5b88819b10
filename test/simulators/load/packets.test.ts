import { type Packet, parser } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import { connectFrame, DISCONNECT, publishFrame } from '../../../simulators/load/packets.ts'

function parse(frame: Buffer, protocolVersion?: number): Packet {
  const packets: Packet[] = []
  const reader = parser(protocolVersion === undefined ? {} : { protocolVersion })
  reader.on('packet', (packet) => packets.push(packet))
  reader.parse(frame)
  const [packet] = packets
  if (packet === undefined || packets.length > 1) throw new Error(`expected one packet, got ${packets.length}`)
  return packet
}

describe('packets', () => {
  it('CONNECT asks for a session that lasts, with credentials if there are any', () => {
    expect(connectFrame({ clientId: 'c1' }).toString('hex')).toBe('100e00044d5154540400000000026331')
    expect(connectFrame({ clientId: 'c', username: 'u', password: 'p' }).toString('hex')).toBe(
      '101300044d51545404c00000000163000175000170',
    )
    expect(DISCONNECT.toString('hex')).toBe('e000')
  })

  it('CONNECT of version 5 asks for the same in its own words', () => {
    const { cmd, ...said } = parse(connectFrame({ clientId: 'c1', username: 'u', password: 'p', version: 5 }))
    expect([cmd, said]).toEqual([
      'connect',
      expect.objectContaining({
        protocolVersion: 5,
        clientId: 'c1',
        username: 'u',
        password: Buffer.from('p'),
        clean: false,
        keepalive: 0,
        properties: { sessionExpiryInterval: 0xffff_ffff },
      }),
    ])
  })

  it('PUBLISH of version 5 has properties, none of them', () => {
    const { frame, idAt, payloadAt } = publishFrame(5, 'a/b', Buffer.from('21.5'))
    frame.writeUInt16BE(300, idAt)
    const said = parse(frame, 5)
    expect(said).toMatchObject({ cmd: 'publish', qos: 1, topic: 'a/b', messageId: 300, payload: Buffer.from('21.5') })
    expect(frame.subarray(payloadAt).toString()).toBe('21.5')
    expect(frame.length).toBe(publishFrame(4, 'a/b', Buffer.from('21.5')).frame.length + 1)
  })
})
