/** What only `tidegate rules test` needs: loaded when it runs. */
export { centralRecording } from './central.ts'
export { fileRecording } from './file.ts'
export { outboxRecording } from './outbox.ts'
export type { Recording } from './recording.ts'
export { Rehearsal } from './rehearsal.ts'
export { speed, summaryLines } from './summary.ts'
