import mqtt from 'mqtt'

/** Gateways of the site: the next one is tried whenever a connection ends, or cannot be made. */
const servers = (process.env['GATEWAYS'] ?? '10.0.0.1:1883,10.0.0.2:1883').split(',').map((address) => {
  const [host = '', port] = address.split(':')
  return { host, port: Number(port), protocol: 'mqtt' as const }
})
const device = mqtt.connect({
  servers,
  clientId: 'press-4',
  clean: false,
  connectTimeout: 2000,
  keepalive: 5,
  reconnectPeriod: 250,
})
const every = Number(process.env['EVERY'] ?? 1) * 1000
const session = Date.now().toString(36)
let seq = 0
setInterval(() => {
  // What is not acknowledged when the connection ends is sent again, to whichever gateway comes next.
  const reading = JSON.stringify({ value: 20 + Math.random(), seq: ++seq, session, time: Date.now() })
  device.publish('sensors/press-4/temperature', reading, { qos: 1 }, (error) => {
    if (!error) console.log('acknowledged', reading)
  })
}, every)
