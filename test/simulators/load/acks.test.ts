import { generate, type IConnackPacket, type Packet } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import { AckParser } from '../../../simulators/load/acks.ts'

describe('AckParser', () => {
  it('reads acknowledgements however they are cut up, and skips what it does not need', () => {
    const bytes = Buffer.from('20020000' + '40020001' + 'd000' + '90030009' + '01' + '4002ffff', 'hex')
    for (let size = 1; size <= bytes.length; size++) {
      const seen: string[] = []
      const parser = new AckParser({
        connected: (code) => seen.push(`connected ${code}`),
        acknowledged: (id) => seen.push(`ack ${id}`),
      })
      for (let at = 0; at < bytes.length; at += size) parser.push(bytes.subarray(at, at + size))
      expect(seen).toEqual(['connected 0', 'ack 1', 'ack 65535'])
    }
  })

  it('forgets a frame that its connection did not finish', () => {
    const acks: number[] = []
    const parser = new AckParser({ connected: () => undefined, acknowledged: (id) => acks.push(id) })
    parser.push(Buffer.from('4002', 'hex'))
    parser.reset()
    parser.push(Buffer.from('40020007', 'hex'))
    expect(acks).toEqual([7])
  })
})

describe('AckParser, of what a server of MQTT 5 sends', () => {
  /** Everything seen, whole and byte by byte: it must be the same. */
  function read(...packets: Packet[]): string[] {
    const bytes = Buffer.concat(packets.map((packet) => generate(packet, { protocolVersion: 5 })))
    const [whole = [], split] = [bytes.length, 1].map((size) => {
      const seen: string[] = []
      const parser = new AckParser({
        connected: (code, receiveMaximum) => seen.push(`connected ${code}, ${receiveMaximum} at a time`),
        acknowledged: (id, reason) => seen.push(`ack ${id} ${reason}`),
      })
      for (let at = 0; at < bytes.length; at += size) parser.push(bytes.subarray(at, at + size))
      return seen
    })
    expect(split).toEqual(whole)
    return whole
  }

  const connack = (properties: IConnackPacket['properties']): Packet => {
    return { cmd: 'connack', reasonCode: 0, sessionPresent: false, ...(properties ? { properties } : {}) }
  }

  it('finds the receive maximum among all other properties of CONNACK', () => {
    const others: IConnackPacket['properties'] = {
      sessionExpiryInterval: 7,
      maximumQoS: 1,
      retainAvailable: false,
      maximumPacketSize: 70_000,
      assignedClientIdentifier: 'somebody',
      topicAliasMaximum: 4,
      reasonString: 'x'.repeat(300),
      userProperties: { a: 'b', c: ['d', 'e'] },
      wildcardSubscriptionAvailable: true,
      subscriptionIdentifiersAvailable: true,
      sharedSubscriptionAvailable: false,
      serverKeepAlive: 60,
      responseInformation: 'r',
      serverReference: 's',
      authenticationMethod: 'm',
      authenticationData: Buffer.from([1, 2, 3]),
    }
    expect(read(connack({ ...others, receiveMaximum: 17 }))).toEqual(['connected 0, 17 at a time'])
    expect(read(connack({ receiveMaximum: 300, ...others }))).toEqual(['connected 0, 300 at a time'])
    expect(read(connack(others))).toEqual(['connected 0, 65535 at a time'])
    expect(read(connack(undefined))).toEqual(['connected 0, 65535 at a time'])
    expect(read({ cmd: 'connack', reasonCode: 0x87, sessionPresent: false })).toEqual([
      'connected 135, 65535 at a time',
    ])
  })

  it('reads the reason of PUBACK, with properties or without, and nothing of other packets', () => {
    const seen = read(
      { cmd: 'puback', messageId: 1 },
      { cmd: 'puback', messageId: 2, reasonCode: 0x10 },
      { cmd: 'publish', topic: 't', payload: 'x'.repeat(200), qos: 0, dup: false, retain: false },
      { cmd: 'puback', messageId: 3, reasonCode: 0x97, properties: { reasonString: 'y'.repeat(200) } },
      { cmd: 'disconnect', reasonCode: 0x8b },
      { cmd: 'puback', messageId: 65_535 },
    )
    expect(seen).toEqual(['ack 1 0', 'ack 2 16', 'ack 3 151', 'ack 65535 0'])
  })
})
