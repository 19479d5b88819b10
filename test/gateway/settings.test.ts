import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { parseConfig } from '../../gateway/config/index.ts'
import { peerSettings } from '../../gateway/settings.ts'
import { tempDir } from '../support/temp-dir.ts'

const SECRET = '0123456789abcdef'
const configOf = (failover: string, folder = '/') =>
  parseConfig(`site: s\ngateway: a\nfailover: { ${failover} }\n`, {}, { folder })
const PEER = 'peers: [{ gateway: b, url: "mqtts://b:8883", ca: ca.pem }]'

it('a gateway without peers has nothing to say to any, whatever the secret', async () => {
  expect(await peerSettings(configOf(`secret: ${SECRET}`))).toBeNull()
})

it('the secret and the authorities are read from their files', async () => {
  const folder = await tempDir()
  await writeFile(join(folder, 'secret'), `${SECRET}\n`)
  await writeFile(join(folder, 'ca.pem'), 'PEM')
  const settings = await peerSettings(configOf(`${PEER}, secretFile: secret, awayAfter: 3s`, folder))
  expect(settings).toEqual({
    gateway: 'a',
    secret: SECRET,
    peers: [{ gateway: 'b', url: 'mqtts://b:8883', ca: 'PEM' }],
    dialTimeout: 3000,
    keepAlive: 3000,
  })
})

it('a file that is not there, or a secret that is too short, stops the gateway', async () => {
  const folder = await tempDir()
  await writeFile(join(folder, 'secret'), 'short\n')
  const peers = "peers: [{ gateway: b, url: 'mqtt://b' }]"
  await expect(peerSettings(configOf(`${PEER}, secret: ${SECRET}`, folder))).rejects.toMatchObject({
    code: 'FAILOVER_FILE_UNREADABLE',
    message: `failover.peers: ca of 'b': cannot read '${join(folder, 'ca.pem')}'; check that it exists and may be read`,
  })
  await expect(peerSettings(configOf(`${peers}, secretFile: nowhere`, folder))).rejects.toMatchObject({
    code: 'FAILOVER_FILE_UNREADABLE',
  })
  await expect(peerSettings(configOf(`${peers}, secretFile: secret`, folder))).rejects.toMatchObject({
    code: 'FAILOVER_SECRET_SHORT',
  })
})
