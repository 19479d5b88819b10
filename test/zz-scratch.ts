import { mkdtemp, rm } from 'node:fs/promises'
import { connect as tcp } from 'node:net'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { startCentral } from '../simulators/central/index.ts'
const dir = await mkdtemp('/tmp/tg-scratch/')
const s = await startCentral({ dir })
const nc = await connect({ servers: s.url })
const m = await jetstreamManager(nc)
await m.streams.add({ name: 'READINGS', subjects: ['readings.*.*'], allow_direct: true })
const js = jetstream(nc)
await js.publish('readings.a.b', Buffer.alloc(1024 * 1024 - 100, 'x'))
const raw = tcp(s.port, '127.0.0.1')
await new Promise((r) => raw.once('data', r))
const h = 'NATS/1.0\r\nbad key: x\r\n\r\n'
raw.write(`CONNECT {"verbose":false,"headers":true}\r\nHPUB readings.a.b ${h.length} ${h.length + 2}\r\n${h}hi\r\nPING\r\n`)
await new Promise((r) => raw.once('data', r))
try { const got = await m.streams.getMessage('READINGS', { next_by_subj: 'readings.a.b', seq: 1 } as never); console.log('big', got?.seq, got?.data.length) } catch (e) { console.log('big failed', e) }
try { const got = await m.streams.getMessage('READINGS', { next_by_subj: 'readings.a.b', seq: 2 } as never); console.log('bad', got?.seq, got?.data.length); try { console.log([...(got?.header ?? [])]) } catch (e) { console.log('hdr', String(e)) } } catch (e) { console.log('bad failed', e) }
try { console.log(await m.direct.getMessage('READINGS', { next_by_subj: 'readings.a.b', seq: 2 })) } catch (e) { console.log('direct failed', String(e)) }
console.log(await m.streams.getMessage('READINGS', { next_by_subj: 'readings.a.b', seq: 3 } as never))
await m.consumers.add('READINGS', { durable_name: 'd', ack_policy: 'explicit', deliver_policy: 'new' })
const c = await js.consumers.get('READINGS', 'd')
const i = await c.info(true); console.log(i.ack_floor, i.delivered, i.created)
await m.consumers.add('READINGS', { durable_name: 'e', ack_policy: 'explicit' })
const e = await js.consumers.get('READINGS', 'e')
try { const f = await e.fetch({ max_bytes: 2e6, expires: 1000 }); for await (const x of f) { console.log(x.seq); try { console.log(x.headers) } catch (err) { console.log('consumer hdr', String(err)) } } } catch (err) { console.log('fetch failed', String(err)) }
try { const f = await e.fetch({ max_bytes: 1e5, expires: 1000 }); for await (const x of f) console.log(x.seq) ; console.log('over')} catch (err) { console.log('fetch failed', err) }
await js.publish('readings.a.b', Buffer.alloc(500000, 'x'))
const t=Date.now()
try { const f = await e.fetch({ max_bytes: 1e5, expires: 1000 }); for await (const x of f) console.log(x.seq) ; console.log('over')} catch (err) { console.log('fetch failed', err, Date.now()-t, (err as any).code) }
await nc.close(); raw.destroy(); await s.stop(); await rm(dir, { recursive: true })
