import { expect, it, onTestFinished } from 'vitest'
import type { Verdict } from '../../../gateway/ingest/index.ts'
import { Fleet, mixedFleet } from '../../../simulators/fleet/index.ts'
import { Ledger } from '../../../simulators/ledger/index.ts'
import { StopAcceptingError } from '../../../sync/contract/index.ts'
import { startTestServer } from '../../gateway/ingest/mqtt/support/server.ts'

const LETTER: Verdict = { outcome: 'dead letter', problem: { code: 'PAYLOAD_NOT_JSON', reason: 'no' } }

it('a device of MQTT 5 sends again, in its place, what was refused, and takes a dead letter for an answer', async () => {
  const { acceptor, port } = await startTestServer()
  const accept = acceptor.accept.bind(acceptor)
  const taken: string[] = []
  let [attempts, letters] = [0, 0]
  let refused: string | null = null
  acceptor.accept = (publish, done) => {
    const text = publish.payload.toString()
    // No room until what was refused first has come for the third time.
    if (taken.length === 3) refused ??= text
    if (text === refused) attempts++
    if (taken.length === 3 && attempts < 3) {
      done(new StopAcceptingError('FULL', 'no room'), { outcome: 'refused', problem: null })
      return
    }
    taken.push(text)
    const isLetter = taken.length % 10 === 0
    if (isLetter) letters++
    accept(publish, (error) => done(error, isLetter ? LETTER : undefined))
  }
  const errors: Error[] = []
  const fleet = Fleet.start({
    devices: mixedFleet({ devices: 1, trouble: 0, name: 'sensor' }),
    gateways: [`mqtt://127.0.0.1:${port}`],
    ledger: new Ledger({ startedAt: Date.now() }),
    rate: 100,
    limit: 30,
    window: 5,
    version: 5,
    onError: (error) => errors.push(error),
  })
  onTestFinished(async () => {
    await fleet.stop({ within: 0 })
  })
  const summary = await fleet.done
  expect(attempts).toBe(3)
  expect(summary).toMatchObject({ clean: true, acknowledged: taken.length })
  expect(new Set(taken).size).toBe(taken.length)
  // In the order in which they were measured.
  const counters = taken.map((text) => (JSON.parse(text) as { seq?: number }).seq).filter((seq) => seq !== undefined)
  expect(counters).toEqual([...counters].sort((a, b) => a - b))
  expect(errors).toHaveLength(letters)
})
