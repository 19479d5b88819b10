import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type CentralServer, startCentral } from '../../../simulators/central/index.ts'
import { FaultProxy } from '../../../simulators/faults/index.ts'
import {
  type CentralDialer,
  type CentralSession,
  natsDialer,
  type OutgoingMessage,
  SimulatedCentre,
  type StreamPlan,
} from '../../../sync/link/index.ts'
import { streamPlans } from '../../../sync/provision/index.ts'
import { seededRandom, systemClock } from '../../../sync/runtime/index.ts'
import { makeTempDir } from '../../support/temp-dir.ts'

const TIMEOUT = 5000

/** A centre, and what a test can do to it. */
interface Centre {
  dialer: CentralDialer
  /** Ends the centre while the request is under way; whether it had its effect, nobody knows. */
  dieUnder(request: () => Promise<unknown>): Promise<unknown>
  /** Brings it back, with everything it had. */
  revive(): Promise<void>
  end(): Promise<void>
}

async function realCentre(): Promise<Centre> {
  const dir = await makeTempDir()
  const server: CentralServer = await startCentral({ dir: dir.path })
  const proxy = await FaultProxy.listen({ target: { host: '127.0.0.1', port: server.port } })
  const url = `nats://${proxy.host}:${proxy.port}`
  return {
    dialer: natsDialer({ servers: [url], name: 'test', dialTimeout: 2000, pingInterval: 10_000 }),
    async dieUnder(request) {
      // No answer comes any more. (To stop the process is not enough: its other threads run on for a moment.)
      const release = await proxy.halfOpen('toClient')
      const outcome = request()
      outcome.catch(() => undefined)
      await new Promise((resolve) => setImmediate(resolve))
      await server.kill('SIGKILL')
      proxy.reset()
      await release()
      return outcome
    },
    async revive() {
      await server.launch()
      await server.waitReady()
    },
    async end() {
      await proxy.close()
      await server.kill()
      await dir.remove()
    },
  }
}

async function simulatedCentre(): Promise<Centre> {
  const centre = new SimulatedCentre(systemClock, seededRandom(1))
  return {
    dialer: centre,
    dieUnder(request) {
      const outcome = request()
      centre.cut()
      return outcome
    },
    revive: async () => centre.heal(),
    end: async () => centre.cut(),
  }
}

let streams = 0

/** A stream of its own for each test. */
function plan(): StreamPlan & { subject: (name: string) => string } {
  const [first] = streamPlans({ replicas: 1, storage: 'file', maxBytes: -1, maxAge: 0 })
  if (!first) throw new Error('no plan')
  const name = `TEST${++streams}`
  return { ...first, name, subjects: [`${name}.*`], subject: (subject) => `${name}.${subject}` }
}

const planOf = ({ subject: _, ...rest }: ReturnType<typeof plan>): StreamPlan => rest

const message = (stream: string, subject: string, n: number): OutgoingMessage => ({
  stream,
  subject,
  headers: [
    ['Number', String(n)],
    ['Content-Type', 'text/plain'],
  ],
  body: Buffer.from(`body ${n}`),
})

describe.each([
  ['a real nats-server', realCentre],
  ['the simulated centre', simulatedCentre],
])('%s', (_, make) => {
  let centre: Centre
  beforeAll(async () => {
    centre = await make()
  })
  afterAll(() => centre.end())

  async function dial(): Promise<CentralSession> {
    const session = await centre.dialer.dial(new AbortController().signal)
    onTestFinished(() => session.close())
    return session
  }

  async function withStream() {
    const session = await dial()
    const stream = plan()
    await session.provision(planOf(stream), TIMEOUT)
    const append = (subject: string, n: number, expected: number | null): Promise<number> =>
      session.append(message(stream.name, stream.subject(subject), n), expected, TIMEOUT)
    return { session, stream, append }
  }

  it('appends to a chain if and only if it ends where it is expected to', async () => {
    const { append } = await withStream()
    const first = await append('a', 1, 0)
    const second = await append('a', 2, first)
    expect(second).toBeGreaterThan(first)
    for (const wrong of [0, first, second + 5])
      await expect(append('a', 3, wrong)).rejects.toMatchObject({ code: 'LINK_WRONG_LAST_SEQUENCE', actual: second })
    // Another subject of the stream is another chain.
    await expect(append('b', 1, second)).rejects.toMatchObject({ code: 'LINK_WRONG_LAST_SEQUENCE', actual: 0 })
    expect(await append('b', 1, 0)).toBe(second + 1)
    expect(await append('a', 3, second)).toBe(second + 2)
  })

  it('lets exactly one of two rivals have the next place', async () => {
    const { append, session, stream } = await withStream()
    const first = await append('a', 1, 0)
    const results = await Promise.allSettled([append('a', 2, first), append('a', 3, first), append('a', 4, first)])
    expect(results.filter(({ status }) => status === 'fulfilled').length).toBe(1)
    const winner = results.findIndex(({ status }) => status === 'fulfilled') + 2
    const head = await session.head(stream.name, stream.subject('a'), TIMEOUT)
    expect(head?.headers.get('Number')).toBe(String(winner))
  })

  it('appends without a condition when none is given', async () => {
    const { append } = await withStream()
    const first = await append('a', 1, null)
    expect(await append('a', 2, null)).toBe(first + 1)
  })

  it('shows the end of a chain with its headers, and null where there is none', async () => {
    const { append, session, stream } = await withStream()
    expect(await session.head(stream.name, stream.subject('a'), TIMEOUT)).toBeNull()
    await append('a', 1, 0)
    const sequence = await append('a', 2, null)
    await append('b', 3, 0)
    const head = await session.head(stream.name, stream.subject('a'), TIMEOUT)
    expect(head?.sequence).toBe(sequence)
    expect(head?.headers.get('Number')).toBe('2')
    expect(head?.headers.get('Content-Type')).toBe('text/plain')
    expect(head?.headers.get('Absent')).toBeUndefined()
  })

  it('finds the next message of a subject from a sequence on', async () => {
    const { append, session, stream } = await withStream()
    const sequences: number[] = []
    for (let n = 1; n <= 3; n++) {
      sequences.push(await append('a', n, null))
      await append('b', 10 + n, null)
    }
    const next = async (from: number): Promise<string | undefined> =>
      (await session.nextFrom(stream.name, stream.subject('a'), from, TIMEOUT))?.headers.get('Number')
    expect(await next(0)).toBe('1')
    expect(await next(sequences[0] ?? 0)).toBe('1')
    expect(await next((sequences[0] ?? 0) + 1)).toBe('2')
    expect(await next(sequences[2] ?? 0)).toBe('3')
    expect(await next((sequences[2] ?? 0) + 1)).toBeUndefined()
  })

  it('tells one stream from another of the same name, and how long it is', async () => {
    const { append, session, stream } = await withStream()
    const before = await session.facts(stream.name, TIMEOUT)
    expect(before.lastSequence).toBe(0)
    await append('a', 1, 0)
    const sequence = await append('a', 2, null)
    const after = await session.facts(stream.name, TIMEOUT)
    expect(after).toMatchObject({ created: before.created, firstSequence: 1, lastSequence: sequence })
    expect(Date.parse(after.created)).not.toBeNaN()
  })

  it('tells what time it is there', async () => {
    const { session, stream } = await withStream()
    const { at } = await session.facts(stream.name, TIMEOUT)
    expect(Math.abs((at ?? 0) - Date.now())).toBeLessThan(10_000)
  })

  it('makes a stream once: asking again changes nothing', async () => {
    const { append, session, stream } = await withStream()
    await append('a', 1, 0)
    const { at: _, ...before } = await session.facts(stream.name, TIMEOUT)
    await session.provision(planOf(stream), TIMEOUT)
    expect(await session.facts(stream.name, TIMEOUT)).toMatchObject(before)
  })

  it('says of a stream that is not there that it is not there', async () => {
    const session = await dial()
    const { name, subject } = plan()
    const missing = { code: 'LINK_REFUSED', name: 'StreamMissingError', stream: name }
    await expect(session.facts(name, TIMEOUT)).rejects.toMatchObject(missing)
    await expect(session.head(name, subject('a'), TIMEOUT)).rejects.toMatchObject(missing)
    await expect(session.nextFrom(name, subject('a'), 1, TIMEOUT)).rejects.toMatchObject(missing)
    await expect(session.append(message(name, subject('a'), 1), 0, TIMEOUT)).rejects.toMatchObject({
      ...missing,
    })
  })

  it('takes messages up to the size it names', async () => {
    const { session, stream } = await withStream()
    expect(session.maxPayload).toBeGreaterThanOrEqual(1024 * 1024)
    const large = {
      ...message(stream.name, stream.subject('a'), 1),
      body: Buffer.alloc(session.maxPayload - 4096, 'x'),
    }
    expect(await session.append(large, 0, TIMEOUT)).toBe(1)
  })

  it('leaves open what became of a request that it died under, and keeps what it had acknowledged', async () => {
    const { append, session, stream } = await withStream()
    const first = await append('a', 1, 0)
    const dying = centre.dieUnder(() => append('a', 2, first))
    await expect(dying).rejects.toMatchObject({ code: 'LINK_OUTCOME_UNKNOWN', name: 'UnknownOutcomeError' })
    // The session is over, says so, and is never revived.
    await session.closed
    await expect(append('a', 3, first)).rejects.toMatchObject({ code: 'LINK_OUTCOME_UNKNOWN' })
    await expect(session.head(stream.name, stream.subject('a'), TIMEOUT)).rejects.toMatchObject({
      code: 'LINK_OUTCOME_UNKNOWN',
    })
    await expect(centre.dialer.dial(new AbortController().signal)).rejects.toMatchObject({ code: 'LINK_DIAL_FAILED' })

    await centre.revive()
    const again = await dial()
    const head = await again.head(stream.name, stream.subject('a'), TIMEOUT)
    expect([first, first + 1]).toContain(head?.sequence)
    const next = await again.append(message(stream.name, stream.subject('a'), 2), head?.sequence ?? 0, TIMEOUT)
    expect(next).toBe((head?.sequence ?? 0) + 1)
  })

  it('says when a session is over that was closed here', async () => {
    const session = await dial()
    let over = false
    void session.closed.then(() => {
      over = true
    })
    expect(over).toBe(false)
    await session.close()
    await session.closed
    await session.close()
    const { name } = plan()
    await expect(session.facts(name, TIMEOUT)).rejects.toMatchObject({ code: 'LINK_OUTCOME_UNKNOWN' })
  })

  it('gives up dialling when asked to', async () => {
    const given = new AbortController()
    given.abort()
    await expect(centre.dialer.dial(given.signal)).rejects.toMatchObject({ name: 'RetryableError' })
  })
})

describe('the simulated centre', () => {
  it('forgets, expires and wipes as a real one does', async () => {
    const centre = new SimulatedCentre(systemClock, seededRandom(1))
    const session = await centre.dial(new AbortController().signal)
    const stream = plan()
    await session.provision(planOf(stream), TIMEOUT)
    for (let n = 1; n <= 5; n++) await session.append(message(stream.name, stream.subject('a'), n), null, TIMEOUT)
    centre.expire(stream.name, 2)
    expect(await session.facts(stream.name, TIMEOUT)).toMatchObject({ firstSequence: 3, lastSequence: 5 })
    centre.forget(stream.name, 2)
    expect(await session.facts(stream.name, TIMEOUT)).toMatchObject({ firstSequence: 3, lastSequence: 3 })
    centre.expire(stream.name, 1)
    expect(await session.facts(stream.name, TIMEOUT)).toMatchObject({ firstSequence: 4, lastSequence: 3 })
    expect(await session.head(stream.name, stream.subject('a'), TIMEOUT)).toBeNull()
    const { created } = await session.facts(stream.name, TIMEOUT)
    centre.wipe(stream.name)
    await expect(session.facts(stream.name, TIMEOUT)).rejects.toMatchObject({ name: 'StreamMissingError' })
    await session.provision(planOf(stream), TIMEOUT)
    const anew = await session.facts(stream.name, TIMEOUT)
    expect(anew.lastSequence).toBe(0)
    expect(anew.created).not.toBe(created)
    await session.close()
  })

  it('loses requests and answers as often as it is told to: with the answer lost, the effect stands', async () => {
    const centre = new SimulatedCentre(systemClock, seededRandom(1))
    const session = await centre.dial(new AbortController().signal)
    const stream = plan()
    await session.provision(planOf(stream), TIMEOUT)
    const append = (): Promise<number> => session.append(message(stream.name, stream.subject('a'), 1), null, TIMEOUT)
    const unknown = { code: 'LINK_OUTCOME_UNKNOWN' }
    centre.faults = { loseRequest: 1, loseAnswer: 0, disconnect: 0, staleRead: 0 }
    await expect(append()).rejects.toMatchObject(unknown)
    expect(centre.messages(stream.name).length).toBe(0)
    centre.faults = { loseRequest: 0, loseAnswer: 1, disconnect: 0, staleRead: 0 }
    await expect(append()).rejects.toMatchObject(unknown)
    expect(centre.messages(stream.name).length).toBe(1)
    centre.faults = { loseRequest: 0, loseAnswer: 0, disconnect: 1, staleRead: 0 }
    await expect(append()).rejects.toMatchObject(unknown)
    await session.closed
    expect(centre.messages(stream.name).length).toBe(2)
  })
})
