import { randomBytes } from 'node:crypto'
import { execSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { it } from 'vitest'
import { levelDisk } from '../gateway/ports/index.ts'
import { SimulatedClock } from '../sync/runtime/index.ts'
import { openOutbox, reading } from './support/outbox.ts'
const MIB = 1024*1024
it('x', async () => {
  mkdirSync('/tmp/lab/mnt',{recursive:true}); execSync('mount -t tmpfs -o size=24m t /tmp/lab/mnt')
  try {
  const clock = new SimulatedClock()
  const {outbox, put, said} = await openOutbox({disk: levelDisk, dir:'/tmp/lab/mnt/data', clock, settings:{compression:false, minFree: 6*MIB, reserve: 2*MIB, retainAcked:{bytes:100*MIB, age:1e9}}})
  const df = () => execSync('df -k /tmp/lab/mnt | tail -1').toString().trim().split(/\s+/).slice(2,4).join(' ')
  const ls = () => execSync('ls -l /tmp/lab/mnt/data/db | awk \'{print $9":"$5}\' | tr "\\n" " "').toString()
  let n=1
  for (; outbox.accepting && n < 5000; n+=20) { await Promise.allSettled(Array.from({length:20},(_,i)=>put(reading(n+i,{labels:{noise:randomBytes(7500).toString('base64')}})))); await clock.advance(1000) }
  console.log('full', n, df(), said, ls())
  const source = outbox.lane('readings')
  for (let k=0;k<60;k++) {
    const next=Math.min(source.head, source.cursor.next+200)
    source.moveCursor({next, sequence: next, streamCreated:'t'})
    await clock.advance(250)
    await new Promise(r=>setTimeout(r,20))
    if (k%4===0) console.log(k, df(), outbox.status().state, Math.round(outbox.status().storedBytes/1000), source.cursor.next, said.slice(-2), ls())
  }
  console.log(execSync('tail -40 /tmp/lab/mnt/data/db/LOG').toString())
  await outbox.close().catch(()=>0)
  } finally { execSync('umount -l /tmp/lab/mnt') }
})
