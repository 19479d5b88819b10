import { readFile } from 'node:fs/promises'

/** Clock ticks a second in /proc/PID/stat: USER_HZ, 100 on every Linux (proc(5)). */
const TICKS_PER_SECOND = 100

/** Processor time of a process so far, all its threads, user and system, in microseconds (steps of 10 ms); null where there is no /proc. */
export async function cpuMicros(pid: number): Promise<number | null> {
  const stat = await procFile(pid, 'stat')
  if (stat === null) return null
  // The second field, the name, may hold spaces: count from the parenthesis that ends it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[11]) + Number(fields[12])) * 1e6) / TICKS_PER_SECOND
}

/** Resident memory of a process in megabytes (10^6 bytes). */
export interface Memory {
  total: number
  /** Heaps and stacks: what only this process has. */
  anonymous: number
  /** Mapped files (its binary, LevelDB's tables): the kernel takes them back when it needs room. */
  file: number
}

/** Null where there is no /proc. */
export async function memoryOf(pid: number): Promise<Memory | null> {
  const status = await procFile(pid, 'status')
  if (status === null) return null
  const megabytes = (name: string): number =>
    (Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0) * 1024) / 1e6
  return { total: megabytes('VmRSS'), anonymous: megabytes('RssAnon'), file: megabytes('RssFile') }
}

/** Runs `work` and says how much processor time the process took meanwhile, in microseconds; null where there is no /proc. */
export async function cpuDuring<T>(pid: number, work: () => Promise<T>): Promise<{ result: T; micros: number | null }> {
  const before = await cpuMicros(pid)
  const result = await work()
  const after = await cpuMicros(pid)
  return { result, micros: before === null || after === null ? null : after - before }
}

async function procFile(pid: number, name: string): Promise<string | null> {
  try {
    return await readFile(`/proc/${pid}/${name}`, 'utf8')
  } catch {
    // Not Linux, or the process is gone: either way there is nothing to measure.
    return null
  }
}
