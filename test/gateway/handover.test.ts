import { connect } from 'node:net'
import { connectAsync } from 'mqtt'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { COMMANDS } from '../../gateway/cli/commands/index.ts'
import type { GatewayStatus } from '../../gateway/observe/index.ts'
import { freePorts } from '../../simulators/central/index.ts'
import { systemRandom } from '../../sync/runtime/index.ts'
import { type RunningGateway, runGateway } from '../support/running-gateway.ts'
import { type Ran, runIn } from './cli/support/context.ts'

/** Two gateways in this process that know each other, and no centre. */
async function pair(): Promise<[RunningGateway, RunningGateway]> {
  const ports = await freePorts(2, systemRandom)
  const start = (i: 0 | 1): Promise<RunningGateway> =>
    runGateway({
      config: (config) => {
        config.gateway = `gw-${i + 1}`
        config.mqtt.listeners = [{ kind: 'tcp', host: '127.0.0.1', port: ports[i] ?? 0 }]
        const peer = { gateway: `gw-${2 - i}`, url: `mqtt://127.0.0.1:${ports[1 - i]}` }
        const times = { heartbeat: 50, awayAfter: 1000, takeoverAfter: 2000 }
        Object.assign(config.failover, {
          peers: [peer],
          secret: 'a secret of theirs',
          durability: 'replicated',
          ...times,
        })
      },
    })
  const both: [RunningGateway, RunningGateway] = [await start(0), await start(1)]
  for (const one of both) await until(one, (status) => peerOf(status).present && peerOf(status).inStep)
  return both
}

const peerOf = ({ failover }: GatewayStatus) => {
  const [peer] = failover?.peers ?? []
  if (!peer) throw new Error('expected a peer')
  return peer
}

const until = ({ gateway }: RunningGateway, condition: (status: GatewayStatus) => boolean): Promise<void> =>
  vi.waitFor(async () => expect(condition(await gateway.status())).toBe(true), { timeout: 10_000, interval: 20 })

const command = ({ dir }: RunningGateway, args: string[], signal?: AbortSignal): Promise<Ran> =>
  runIn(COMMANDS, [...args, '--data', dir], signal ? { signal } : {})

/** The types of the gateway's own events, in order. */
async function told(live: RunningGateway): Promise<string[]> {
  const stop = new AbortController()
  const answer = await live.ask('/events?after=start&rule=@failover', { signal: stop.signal })
  const reader = answer.body?.getReader()
  let text = ''
  const read = (async () => {
    for (let piece = await reader?.read(); piece && !piece.done; piece = await reader?.read())
      text += new TextDecoder().decode(piece.value)
  })().catch(() => undefined)
  await new Promise((resolve) => setTimeout(resolve, 300))
  stop.abort()
  await read
  return [...text.matchAll(/"type":"tidegate\.failover\.(\w+)"/g)].map(([, type]) => type ?? '')
}

/** A device that connects, and does not let go when it is told goodbye. */
async function stubborn({ gateway }: RunningGateway, id: string): Promise<void> {
  const socket = connect({ port: Number(new URL(gateway.listeners[0] ?? '').port), allowHalfOpen: true })
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => undefined)
  socket.write(Buffer.from([0x10, 13, 0, 4, ...Buffer.from('MQTT'), 4, 2, 0, 60, 0, 1, ...Buffer.from(id)]))
  await new Promise<void>((resolve, reject) => {
    socket.once('data', () => resolve())
    socket.once('end', () => reject(new Error('closed')))
    socket.once('close', () => reject(new Error('closed')))
  })
}

describe('tidegate handover', () => {
  it('moves devices, has the peer take over at once, and takes all of it back', async () => {
    const [one, other] = await pair()
    const device = await connectAsync(one.gateway.listeners[0] ?? '', { clientId: 'd', reconnectPeriod: 0 })
    onTestFinished(() => device.endAsync(true))
    const closed = new Promise((resolve) => device.once('close', () => resolve('closed')))
    const publishes = Array.from({ length: 50 }, (_, seq) =>
      device.publishAsync('sensors/d/t', JSON.stringify({ value: seq, seq, session: 's' }), { qos: 1 }),
    )
    await publishes[0]
    const { exitCode, stdout } = await command(one, ['handover'])
    expect(stdout).toContain(
      'safe to switch off\n- 1 devices were answered and asked to leave\n- gw-2 has every record',
    )
    expect(exitCode).toBe(0)
    expect(await closed).toBe('closed')
    expect((await one.gateway.status()).handover).toMatchObject({ stage: 'left', devices: 0 })
    await until(other, (status) => peerOf(status).takenOver && peerOf(status).present)

    await expect(stubborn(one, 'e')).rejects.toThrow('closed')
    expect((await one.ask('/health')).status).toBe(503)
    expect((await other.ask('/health')).status).toBe(200)
    const act = await one.ask('/rules', { method: 'PUT', body: '{"rules":[]}' })
    expect([act.status, await act.json()]).toMatchObject([503, { error: { code: 'HANDED_OVER' } }])
    const shown = await command(one, ['status'])
    expect([shown.exitCode, shown.stdout]).toEqual([1, expect.stringMatching(/^handover +left, 0 of 1/m)])
    // Behind 0: its own event of the takeover is with the peer too.
    const seen = async () => (await command(other, ['status'])).stdout
    await expect.poll(seen, { timeout: 10_000 }).toMatch(/^gw-1 +has left +yes +0 +\d+ +yes$/m)
    // Nobody can hand over to one that has handed over.
    expect(await command(other, ['handover'])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('HANDOVER_PEER_AWAY'),
    })
    expect((await command(one, ['handover'])).exitCode).toBe(0)

    expect(await command(one, ['handover', '--cancel'])).toMatchObject({
      exitCode: 0,
      stdout: 'devices are taken again\n',
    })
    await until(other, (status) => !peerOf(status).takenOver && peerOf(status).present)
    await until(one, ({ health }) => !health.problems.some(({ code }) => code === 'HANDED_OVER'))
    await one.publish('d', 't', 1)
    expect(await told(other)).toEqual(['takenOver', 'givenBack'])
    expect(await command(one, ['handover', '--cancel'])).toMatchObject({ stdout: 'nothing was handed over\n' })
  })

  it('is given up with Ctrl-C, and when it takes too long', async () => {
    const [one, other] = await pair()
    await stubborn(one, 'd')
    const stop = new AbortController()
    const running = command(one, ['handover'], stop.signal)
    await until(one, ({ handover }) => handover.stage === 'emptying')
    expect((await one.ask('/handover', { method: 'POST', body: '{}' })).status).toBe(409)
    stop.abort()
    expect(await running).toEqual({ exitCode: 130, stdout: '', stderr: 'given up: devices are taken again\n' })
    await until(one, ({ handover }) => handover.stage === 'none')
    await one.publish('e', 't', 1)

    await stubborn(one, 'f')
    const late = await command(one, ['handover', '--timeout', '300ms', '--json'])
    expect([late.exitCode, JSON.parse(late.stderr)]).toMatchObject([1, { error: { code: 'HANDOVER_TIMEOUT' } }])
    await until(one, ({ handover }) => handover.stage === 'none')
    await other.stop()
    await until(one, (status) => !peerOf(status).present)
    const away = await command(one, ['handover'])
    expect(away).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('HANDOVER_PEER_AWAY') })
    // It said goodbye: nobody waits whether it is silent.
    await until(one, (status) => peerOf(status).takenOver && status.failover?.degraded === true)
    await vi.waitFor(async () => expect((await told(one)).sort()).toEqual(['degraded', 'takenOver']), { timeout: 5000 })
    expect((await command(one, ['status'])).stdout).toMatch(
      /DURABILITY_DEGRADED: no peer is in step[\s\S]*^durability replicated \(degraded/m,
    )
  })

  it('ends the process when it is asked to', async () => {
    const [one] = await pair()
    expect(one.gateway.handedOver.aborted).toBe(false)
    expect((await command(one, ['handover', '--stop'])).stdout).toContain('the gateway ends now')
    await vi.waitFor(() => expect(one.gateway.handedOver.aborted).toBe(true))
  })

  it('says so when there is nobody', async () => {
    const live = await runGateway()
    expect(await command(live, ['handover'])).toMatchObject({
      exitCode: 3,
      stderr: expect.stringContaining('error HANDOVER_NO_PEER'),
    })
    expect((await command(live, ['handover', '--timeout', 'soon'])).exitCode).toBe(2)
    expect((await command(live, ['status'])).stdout).toMatch(/^health +degraded\n +LINK_DOWN/m)
  })
})
