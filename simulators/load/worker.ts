import { parentPort, workerData } from 'node:worker_threads'
import type { FromWorker, ToWorker, WorkerTask } from './messages.ts'
import { WorkerLoad } from './worker-load.ts'

/** Entry of a load generator's worker thread: connects the load to the thread that asked for it. */
const port = parentPort
if (port === null) throw new Error('this file is the entry of a worker thread, not a program')
const task: WorkerTask = workerData
const load = new WorkerLoad(task, (message: FromWorker) => {
  port.postMessage(message)
  if (message.kind === 'report' || message.kind === 'failed') port.close()
})
port.on('message', (message: ToWorker) => load.receive(message))
