import type { Bench, Measurement } from '../bench.ts'
import { bare, brokerBeside, type Contender, direct, library, natsAlways, natsLazy } from './contenders.ts'
import { type Effort, effort, type Load, MANY, patience } from './loads.ts'
import { type Round, takeTurns } from './rounds.ts'
import { cpu, lagMax, lagP99, p50, p99, p999, type Quantity, rate, readings, resident, row } from './rows.ts'

/** One load, and whom it is put on beside our gateway as people run it. */
interface Cell {
  name: string
  summary: string
  load: Load
  /** Beside mosquitto, where that is installed. */
  peers: readonly Contender[]
  effort(quick: boolean): Effort
  /** Beside every peer. */
  quantities: readonly Quantity[]
  /** Beside mosquitto only. */
  more: readonly Quantity[]
  /** Beside our gateway's other ways only. */
  ownOnly?: readonly Quantity[]
}

const EVERYBODY: readonly Contender[] = [library, natsLazy, natsAlways]

const shape = (
  connections: number,
  inFlight: number,
  howLong: Cell['effort'],
  peers: readonly Contender[] = EVERYBODY,
): Cell => ({
  name: `ingest-${connections}x${inFlight}`,
  summary: `MQTT QoS 1, link cut: connections x in flight ${connections.toLocaleString('en-US')} x ${inFlight}`,
  load: { connections, inFlight },
  peers,
  effort: howLong,
  quantities: [rate('reading'), cpu('reading'), resident],
  more: [p50, p99],
})

/** Another payload, or another protocol, than the shapes have. */
const kind = (
  name: string,
  summary: string,
  load: Partial<Load>,
  peers: readonly Contender[],
  quantities: readonly Quantity[],
): Cell => ({
  name: `ingest-${name}`,
  summary: `MQTT QoS 1, link cut, 100 x 20: ${summary}`,
  load: { ...MANY, ...load },
  peers,
  effort: (quick) => effort(quick, { quick: 1, full: 3 }),
  quantities,
  more: [],
})

const SINGLE: readonly Quantity[] = [rate('reading'), cpu('reading')]
const SEVERAL: readonly Quantity[] = [rate('message'), readings, cpu('message')]

const CELLS: readonly Cell[] = [
  shape(100, 20, (quick) => effort(quick, { quick: 2, full: 5 })),
  // What a publish by itself costs is mostly what its system calls cost: whose they are is to be seen.
  shape(1000, 1, (quick) => effort(quick, { quick: 1, full: 5 }), [...EVERYBODY, bare]),
  shape(5000, 1, patience),
  shape(1, 1, (quick) => effort(quick, { quick: 1, full: 3 })),
  {
    name: 'ingest-steady',
    summary: 'MQTT QoS 1, link cut: 5,000 readings a second over 100 connections',
    load: { ...MANY, rate: 5_000 },
    peers: EVERYBODY,
    effort: patience,
    quantities: [p50, p99, p999, cpu('reading'), resident],
    more: [],
    ownOnly: [lagP99, lagMax],
  },
  kind('number', 'bare numbers', { form: 'number' }, [library], SINGLE),
  kind('flat', 'flat objects of four metrics', { form: 'flat' }, [library], SEVERAL),
  kind('senml', 'SenML packs of four records', { form: 'senml' }, [library], SEVERAL),
  // nats-server speaks 3.1.1 only, and the library hears of no publish of version 5.
  kind('mqtt5', 'MQTT 5', { version: 5 }, [], SINGLE),
]

/** One bench for each load: readings, and what each costs, of ours on both ways and of the others. */
export const matrix: readonly Bench[] = CELLS.map((cell) => ({
  name: cell.name,
  summary: cell.summary,
  async *run(options): AsyncIterable<Measurement> {
    const broker = await brokerBeside(options)
    const contenders = [direct, ...(broker === null ? [] : [broker]), ...cell.peers]
    const rounds = await takeTurns(options, contenders, cell.load, cell.effort(options.quick))
    yield* rowsOf(cell, rounds, broker)
  },
}))

function* rowsOf(cell: Cell, rounds: readonly Round[], broker: Contender | null): Iterable<Measurement> {
  for (const quantity of cell.quantities)
    for (const peer of [broker, ...cell.peers]) yield* row(cell.name, quantity, rounds, direct, peer)
  for (const quantity of cell.more) yield* row(cell.name, quantity, rounds, direct, broker)
  // Nobody else has an event loop: here the other way is whom ours is compared with.
  const otherWay = { name: library.name, id: library.id, label: '' }
  for (const quantity of cell.ownOnly ?? []) yield* row(cell.name, quantity, rounds, direct, otherWay)
}
