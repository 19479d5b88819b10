import { RULE } from '../audit.ts'
import type { Identification } from '../device.ts'
import type { Site } from '../site.ts'
import type { Fault } from './fault.ts'

/** What is done on site: devices are switched off and on, rules are changed, alarms acknowledged. */
export const PEOPLE: readonly Fault[] = [
  { weight: 3, strike: (site) => restart(site, 'session') },
  // A gateway that heard only a part of such a device's new life may take the rest for repeats: not decided yet.
  { weight: 3, forgetful: true, strike: (site) => restart(site, 'seq and time') },
  {
    weight: 3,
    async strike(site) {
      const gateway = site.any(site.gateways)
      const limit = Math.floor(site.random.next() * 100)
      // Of a device that there is not: the alarms of the others stay what their readings make them.
      const given = { rules: [{ id: 'extra', match: { device: 'nobody' }, above: limit }] }
      site.log(`rules are changed on ${gateway.name}: above ${limit}`)
      const change = gateway.core?.desk.putRules({ set: 'extra', given, ifRevision: null })
      // Nobody waits for the answer: the gateway may be gone before it comes.
      change?.catch(() => undefined)
      await site.clock.advance(site.random.next() * 50)
    },
  },
  {
    weight: 3,
    async strike(site) {
      const [gateway, device] = [site.any(site.gateways), site.any(site.devices)]
      site.log(`the alarm of ${device.name} is acknowledged on ${gateway.name}`)
      const note = { by: 'somebody', comment: null }
      gateway.core?.desk.act(device.name, RULE, { kind: 'acknowledge' }, note).catch(() => undefined)
      await site.clock.advance(site.random.next() * 50)
    },
  },
]

function restart(site: Site, identification: Identification): void {
  const device = site.any(site.devices)
  if (device.identification !== identification) return
  site.log(`${device.name} counts from the beginning`)
  device.restart()
}
