import { readFile } from 'node:fs/promises'
import type { Profiler } from 'node:inspector'
import { pathToFileURL } from 'node:url'

/** The parts of the way of a reading, and how the place of a function tells which it belongs to; the first that fits counts. */
const PARTS: readonly (readonly [part: string, where: RegExp])[] = [
  ['MQTT parser', /node_modules\/(mqtt-packet|bl)\//],
  ['aedes', /node_modules\/(aedes[^/]*|mqemitter|qlobber|fast[^/]*|reusify|retimer|hyperid|end-of-stream|pump)\//],
  ['sockets and frame guard', /\/gateway\/ingest\/mqtt\//],
  ['decode', /\/gateway\/ingest\/(decode|topics)\//],
  ['ingest', /\/gateway\/ingest\//],
  ['state', /\/gateway\/state\//],
  ['rules', /\/gateway\/rules\//],
  ['line encoding', /\/sync\/contract\//],
  [
    'outbox',
    /\/gateway\/(outbox|ports)\/|node_modules\/(classic-level|abstract-level|level[^/]*|maybe-combine-errors)\//,
  ],
  ['forwarder', /\/sync\/|node_modules\/@nats-io\//],
  ['Node.js: sockets and streams', /^node:(net|stream|internal\/(stream|streams|js_stream)|internal\/streams|_tls)/],
  ['Node.js: the rest', /^node:/],
]

/** A process that is to be profiled: its environment, the moment from which on, and the file that it writes when it ends in order. */
export interface Profiling {
  env: Readonly<Record<string, string>>
  begin(pid: number): void
  file: string
}

export const noProfiling: Omit<Profiling, 'file'> = { env: {}, begin: () => {} }

export function profiling(file: string): Profiling {
  const hook = pathToFileURL(`${import.meta.dirname}/profile-hook.js`).href
  return {
    env: { NODE_OPTIONS: `--import=${hook}`, BENCH_PROFILE: file },
    begin: (pid) => process.kill(pid, 'SIGUSR2'),
    file,
  }
}

/** One part of the way; shares of the time that the main thread was busy. */
export interface PartShare {
  part: string
  /** While it ran itself. */
  own: number
  /** While it, or something that it had called, ran. */
  total: number
}

export interface ProfileSummary {
  /** Largest own share first. */
  parts: readonly PartShare[]
  /** The functions that ran longest themselves. */
  functions: readonly { name: string; share: number }[]
}

type Node = Profiler.Profile['nodes'][number]

/** Where the main thread's time went: by what ran itself, and by what had called it. */
export async function summariseProfile(file: string, top = 15): Promise<ProfileSummary> {
  const profile = JSON.parse(await readFile(file, 'utf8')) as Profiler.Profile
  const times = timesOf(profile)
  const own = new Map<string, number>()
  const total = new Map<string, number>()
  const functions = new Map<string, number>()
  let busy = 0
  for (const { node, part, callers } of walk(profile.nodes)) {
    const time = times.get(node.id) ?? 0
    if (time === 0 || part === NOTHING) continue
    busy += time
    add(own, part, time)
    add(functions, nameOf(node.callFrame), time)
    // A part that calls itself, or is called back, counts once.
    for (const each of new Set([part, ...callers])) add(total, each, time)
  }
  const parts = [...total].map(([part, time]) => ({ part, own: (own.get(part) ?? 0) / busy, total: time / busy }))
  return {
    parts: parts.sort((a, b) => b.own - a.own),
    functions: [...functions]
      .map(([name, time]) => ({ name, share: time / busy }))
      .sort((a, b) => b.share - a.share)
      .slice(0, top),
  }
}

const add = (times: Map<string, number>, key: string, time: number): void => {
  times.set(key, (times.get(key) ?? 0) + time)
}

/** Microseconds that each node was on top of the stack. */
function timesOf({ samples = [], timeDeltas = [] }: Profiler.Profile): Map<number, number> {
  const times = new Map<number, number>()
  samples.forEach((id, index) => {
    times.set(id, (times.get(id) ?? 0) + (timeDeltas[index] ?? 0))
  })
  return times
}

/** A node of the tree of calls. */
interface Call {
  node: Node
  part: string
  /** Parts of all that is above it. */
  callers: ReadonlySet<string>
}

/** All nodes of the tree of calls. */
function* walk(nodes: readonly Node[]): Iterable<Call> {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const open: Call[] = nodes.slice(0, 1).map((root) => ({ node: root, part: NOTHING, callers: new Set() }))
  for (let call = open.pop(); call; call = open.pop()) {
    yield call
    const { node, part, callers } = call
    const inside = part === NOTHING ? callers : new Set([...callers, part])
    for (const id of node.children ?? []) {
      const child = byId.get(id)
      if (child) open.push({ node: child, part: partOf(child.callFrame, part), callers: inside })
    }
  }
}

/** The root of the tree, and waiting. */
const NOTHING = '(nothing)'
const NATIVE = ': native'

function partOf({ functionName, url }: Node['callFrame'], caller: string): string {
  if (functionName === '(root)' || functionName === '(idle)') return NOTHING
  if (functionName === '(garbage collector)') return 'garbage collection'
  if (functionName === '(program)') return 'native code (system calls, V8)'
  // What is not JavaScript has no place of its own: LevelDB's binding, a write to a socket. It is part of what called it.
  if (url === '')
    return caller === NOTHING ? `nobody's${NATIVE}` : caller.endsWith(NATIVE) ? caller : `${caller}${NATIVE}`
  return PARTS.find(([, where]) => where.test(url))?.[0] ?? 'other'
}

function nameOf({ functionName, url, lineNumber }: Node['callFrame']): string {
  const where = url.replace(/^.*\/(?:dist|node_modules)\//, '')
  // V8's own entries are in brackets.
  if (where === '' && functionName.startsWith('(')) return functionName
  const name = functionName || '(anonymous)'
  return where === '' ? `${name}, native` : `${name} ${where}:${lineNumber + 1}`
}

/** A table of the parts, and the functions below it. */
export function formatProfile({ parts, functions }: ProfileSummary): string[] {
  const percent = (share: number): string => `${(share * 100).toFixed(1)} %`.padStart(8)
  return [
    `${'itself'.padStart(8)}${'and below'.padStart(11)}  part`,
    ...parts
      .filter(({ own }) => own >= 0.002)
      .map(({ part, own, total }) => `${percent(own)}   ${percent(total)}  ${part}`),
    '',
    `${'itself'.padStart(8)}  function`,
    ...functions.map(({ name, share }) => `${percent(share)}  ${name}`),
  ]
}
