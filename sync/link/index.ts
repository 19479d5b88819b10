/** The connection to the centre: NATS, and its deterministic twin. */
export type {
  CentralDialer,
  CentralSession,
  ChainHead,
  OutgoingMessage,
  StreamFacts,
  StreamPlan,
} from './central.ts'
export { StreamMissingError, UnknownOutcomeError, WrongLastSequenceError } from './errors.ts'
export { connectNats, type NatsSettings, natsDialer, type ReconnectSettings } from './nats.ts'
export { type LinkFaults, NO_FAULTS, SimulatedCentre } from './simulated-centre.ts'
