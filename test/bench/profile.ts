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
  ['state', /\/gateway\/(state|rules)\//],
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

export interface ProfileSummary {
  /** Share of the time that the main thread was busy, largest first. */
  parts: readonly { part: string; share: number }[]
  functions: readonly { name: string; share: number }[]
}

/** Where the main thread's time went, by what ran itself (not what it called). */
export async function summariseProfile(file: string, top = 15): Promise<ProfileSummary> {
  const profile = JSON.parse(await readFile(file, 'utf8')) as Profiler.Profile
  const { nodes, samples = [], timeDeltas = [] } = profile
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
  const parts = new Map<string, number>()
  const functions = new Map<string, number>()
  let busy = 0
  samples.forEach((id, index) => {
    const frame = frames.get(id)
    const time = timeDeltas[index] ?? 0
    if (!frame || frame.functionName === '(idle)' || frame.functionName === '(root)') return
    busy += time
    const place = partOf(frame)
    parts.set(place, (parts.get(place) ?? 0) + time)
    const name = nameOf(frame)
    functions.set(name, (functions.get(name) ?? 0) + time)
  })
  const shares = (times: ReadonlyMap<string, number>) =>
    [...times].map(([name, time]) => ({ name, share: time / busy })).sort((a, b) => b.share - a.share)
  return {
    parts: shares(parts).map(({ name, share }) => ({ part: name, share })),
    functions: shares(functions).slice(0, top),
  }
}

function partOf({ functionName, url }: Profiler.Profile['nodes'][number]['callFrame']): string {
  if (functionName === '(garbage collector)') return 'garbage collection'
  if (functionName === '(program)') return 'native code (system calls, V8)'
  return PARTS.find(([, where]) => where.test(url))?.[0] ?? (url === '' ? 'native functions' : 'other')
}

function nameOf({ functionName, url, lineNumber }: Profiler.Profile['nodes'][number]['callFrame']): string {
  const where = url.replace(/^.*\/(?:dist|node_modules)\//, '')
  return where === '' ? functionName : `${functionName || '(anonymous)'} ${where}:${lineNumber + 1}`
}

export function formatProfile({ parts, functions }: ProfileSummary): string[] {
  const line = (name: string, share: number): string => `${(share * 100).toFixed(1).padStart(5)} %  ${name}`
  return [
    ...parts.filter(({ share }) => share >= 0.002).map(({ part, share }) => line(part, share)),
    '',
    ...functions.map(({ name, share }) => line(name, share)),
  ]
}
