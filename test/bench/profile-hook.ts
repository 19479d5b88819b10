import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector'

/**
 * Loaded into a gateway before its own code (`NODE_OPTIONS=--import=...`): samples it from SIGUSR2 until its end, then writes a
 * .cpuprofile.
 */
const file = process.env['BENCH_PROFILE']
if (file === undefined) throw new Error('BENCH_PROFILE: expected the path of the file to write, it is not set')
const session = new Session()
process.once('SIGUSR2', () => {
  session.connect()
  session.post('Profiler.enable')
  session.post('Profiler.setSamplingInterval', { interval: 500 })
  session.post('Profiler.start')
})
process.on('exit', () => {
  session.post('Profiler.stop', (error, result) => {
    if (error) throw error
    writeFileSync(file, JSON.stringify(result.profile))
  })
})
