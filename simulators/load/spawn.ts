import { Worker } from 'node:worker_threads'
import type { WorkerTask } from './messages.ts'

/** Starts a worker thread: the compiled one, or the sources when this file is a source. */
export function spawnWorker(task: WorkerTask): Worker {
  const entry = import.meta.url.endsWith('.ts') ? './worker-from-sources.mjs' : './worker.js'
  return new Worker(new URL(entry, import.meta.url), { workerData: task })
}
