import { consume } from 'tidegate/sync'

const stopping = new AbortController()
process.once('SIGINT', () => stopping.abort())

await consume({
  servers: process.env['NATS_URL'] ?? 'nats://127.0.0.1:4222',
  durable: 'my-first-consumer',
  signal: stopping.signal,
  handler: async (reading, { site, position }) => {
    const time = new Date(reading.time).toISOString()
    console.log(time, site, reading.device, reading.metric, reading.value, reading.unit ?? '', position.offset)
  },
})
