import { expect, onTestFinished, test, vi } from 'vitest'
import { overBothWays } from './support/both-ways.ts'
import { publishPacket } from './support/packets.ts'
import { PATIENCE } from './support/raw-client.ts'

overBothWays(({ startTestServer }) => {
  test('publishes alone keep a connection alive, of QoS 0, of QoS 1, or in pieces; silence ends it (MQTT-3.1.2-24)', async () => {
    const { raw, acceptor, count } = await startTestServer()
    const started = performance.now()
    const [zero, one, pieces, silent] = await Promise.all(
      ['zero', 'one', 'pieces', 'silent'].map((clientId) => raw({ clientId, keepalive: 1 })),
    )
    const publish = publishPacket({ qos: 1, id: 2 })
    let odd = false
    const beat = setInterval(() => {
      zero?.send(publishPacket())
      one?.send(publishPacket({ qos: 1 }))
      // The keep-alive counts whole packets.
      odd = !odd
      pieces?.send(odd ? publish.subarray(0, 9) : publish.subarray(9))
    }, 200)
    onTestFinished(() => clearInterval(beat))
    await silent?.whenClosed()
    expect(performance.now() - started).toBeGreaterThan(1_400)
    // Half as long again as an idle client lives.
    await vi.waitFor(() => expect(performance.now() - started).toBeGreaterThan(2_250), PATIENCE)
    expect([zero, one, pieces].map((client) => client?.closed)).toEqual([false, false, false])
    expect(new Set(acceptor.received.map(({ clientId }) => clientId))).toEqual(new Set(['zero', 'one', 'pieces']))
    clearInterval(beat)
    for (const client of [zero, one, pieces]) await client?.whenClosed()
    expect(count('clients.failed')).toBe(4)
  })
})
