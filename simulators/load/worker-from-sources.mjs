// Entry of a worker thread when the generator runs from its TypeScript sources: neither a loader on the command line nor
// a test runner's own compiler reaches into a thread, so the thread has to be taught TypeScript first. Not in the package.
import { register } from 'tsx/esm/api'

register()
await import('./worker.ts')
