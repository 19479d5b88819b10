/** The three queues of an outbox; each has offsets of its own. */
export type Lane = 'readings' | 'events' | 'deadletters'

/** All lanes, in the order in which they leave the gateway after an outage. */
export const LANES: readonly Lane[] = ['events', 'readings', 'deadletters']

/** Something for each lane. */
export const byLane = <T>(of: (lane: Lane) => T): Record<Lane, T> => ({
  readings: of('readings'),
  events: of('events'),
  deadletters: of('deadletters'),
})
