import { Worker } from 'node:worker_threads'
import type { WorkerTask } from './messages.ts'

/** Starts a worker thread: the compiled one, or the sources when this file is a source. */
export function spawnWorker(task: WorkerTask): Worker {
  const entry = import.meta.url.endsWith('.ts')
    ? new URL('./worker-from-sources.mjs', import.meta.url)
    : new URL('./worker.js', import.meta.url)
  return new Worker(entry, { workerData: task })
}
