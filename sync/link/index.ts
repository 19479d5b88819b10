/** The connection to the centre: NATS, and its deterministic twin. */
export {
  type CentralDialer,
  type CentralSession,
  type ChainHead,
  type ChainMessage,
  type OutgoingMessage,
  previousOf,
  type StreamFacts,
  type StreamPlan,
} from './central.ts'
export { StaleReadError, StreamMissingError, UnknownOutcomeError, WrongLastSequenceError } from './errors.ts'
export { connectNats, type NatsSettings, natsDialer, type ReconnectSettings } from './nats.ts'
export { type LinkFaults, NO_FAULTS, SimulatedCentre } from './simulated-centre.ts'
