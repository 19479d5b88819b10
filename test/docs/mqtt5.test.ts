import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { REASON } from '../../gateway/ingest/mqtt/v5/reason.ts'

it('docs/devices.md says every reason code of MQTT 5 that a device can get', async () => {
  const text = await readFile(new URL('../../docs/devices.md', import.meta.url), 'utf8')
  // What only clients send.
  const own: number[] = [REASON.disconnectWithWill]
  const codes = Object.values(REASON).filter((code) => !own.includes(code))
  const missing = codes
    .map((code) => `0x${code.toString(16).toUpperCase().padStart(2, '0')}`)
    .filter((code) => !text.includes(code))
  expect(missing).toEqual([])
})
