/** Sessions between the gateways of a site: over MQTT, and their deterministic twin. */
export { HostedSession, type PeerWire } from './hosted-session.ts'
export { mqttPeerDialer } from './mqtt-dialer.ts'
export { isPeerClient, isPeerTopic, type PeerNames, peerNames } from './names.ts'
export type { PeerDialer, PeerHandler, PeerHost, PeerSession, ServedSession } from './peers.ts'
export type { PeerAddress, PeerSettings } from './settings.ts'
export { SimulatedPeers } from './simulated-peers.ts'
