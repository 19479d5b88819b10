import type { ClockBehind } from '../clock/index.ts'
import type { GatewayStatus } from './status.ts'

/** `ok`; `degraded`: it takes readings, and somebody should look; `closed`: devices have to go elsewhere. */
export type HealthState = 'ok' | 'degraded' | 'closed'

export interface Problem {
  /** Stable, for programs. */
  code: string
  message: string
}

export interface Health {
  state: HealthState
  problems: readonly Problem[]
}

/** What a gateway's status means for whoever only wants to know whether all is well. */
export function healthOf({ link, outbox, failover, handover, clock }: Omit<GatewayStatus, 'health'>): Health {
  const closed: Problem[] = []
  const degraded: Problem[] = []
  if (handover.stage !== 'none')
    closed.push({ code: 'HANDED_OVER', message: 'it has handed over to its peers, or is about to' })
  if (outbox.state === 'failed' || outbox.state === 'closed')
    closed.push({ code: 'OUTBOX_FAILED', message: 'the outbox cannot write' })
  else if (outbox.full !== null) closed.push({ code: 'OUTBOX_FULL', message: `the outbox is full (${outbox.full})` })
  if (failover?.refuses)
    closed.push({ code: 'NO_PEER', message: 'no peer is in step, and failover.whenAlone is refuse' })
  else if (failover?.degraded)
    degraded.push({ code: 'DURABILITY_DEGRADED', message: 'no peer is in step: what is acknowledged is on one disk' })
  if (link.link === 'down') degraded.push({ code: 'LINK_DOWN', message: 'the centre cannot be reached' })
  if (clock.behind) degraded.push({ code: 'CLOCK_BEHIND', message: clockProblem(clock.behind) })
  for (const { gateway, present, leaving, refusal } of failover?.peers ?? []) {
    if (!present) degraded.push(refusal ? refused(gateway, refusal) : away(gateway))
    else if (leaving) degraded.push({ code: 'PEER_LEFT', message: `${gateway} has handed over, and takes no devices` })
  }
  const problems = [...closed, ...degraded]
  return { state: closed.length > 0 ? 'closed' : degraded.length > 0 ? 'degraded' : 'ok', problems }
}

const SAID: Readonly<Record<ClockBehind['says'], string>> = {
  centre: 'the clock of the centre is ahead of it',
  calendar: 'it was never set',
  devices: 'most devices that tell the time are ahead of it',
  outbox: 'the outbox has what was stored later',
}

const clockProblem = ({ says, by }: ClockBehind): string =>
  `the clock of this gateway is behind${by === null ? '' : ` by ${Math.round(by / 60_000)} min`}: ${SAID[says]}; set it, with chrony for example`

const away = (gateway: string): Problem => ({ code: 'PEER_AWAY', message: `${gateway} cannot be reached` })

/** What both have to be told has a code of its own; of what ails the peer, its own status says more. */
const refused = (gateway: string, { code, message }: Problem): Problem =>
  code === 'PEER_VERSION' || code === 'PEER_WRONG'
    ? { code, message }
    : { code: 'PEER_REFUSES', message: `${gateway} keeps no copies: ${message}` }
