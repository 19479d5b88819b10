import type { SiteView } from '../../../simulators/site/index.ts'
import type { Paint } from './paint.ts'

/** Which keys do what right now; in short lines, since the screen is drawn over itself and must not wrap. */
export function drawKeys({ gateways, linkCut, peersCut }: SiteView, paint: Paint): string[] {
  const key = (name: string): string => paint('cyan', `[${name}]`)
  const end = `${key('q')} stop and check that nothing was lost`
  const link = linkCut ? 'heal the link' : 'cut the link'
  if (gateways.length === 1) {
    const kill = gateways[0]?.status ? 'kill -9 the gateway' : 'restart the gateway'
    return [` ${key('c')} ${link}   ${key('k')} ${kill}   ${end}`]
  }
  const each = gateways.map(({ name, status }, i) => `${key(`${i + 1}`)} ${status ? 'kill -9' : 'start'} ${name}`)
  return [
    ` ${each.join('   ')}   ${key('k')} kill the first that lives`,
    ` ${key('l')} ${link}   ${key('p')} ${peersCut ? 'join' : 'split'} the gateways   ${end}`,
  ]
}

/** What can be typed where no keys are read. */
export const drawWords = ({ gateways }: SiteView): string[] =>
  gateways.length === 1
    ? [' Type a command and press return: cut, heal, kill, restart, quit']
    : [' Type a command and press return: kill 1, restart 1, cut, heal, split, join, quit']
