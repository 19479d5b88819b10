/** A running gateway, as its own command line talks to it. */
export { apiClient } from './client.ts'
export { followEvents } from './follow-events.ts'
export { followHandover } from './follow-handover.ts'
