import type { Site } from '../../../simulators/site/index.ts'
import type { Millis } from '../../../sync/contract/index.ts'

/** What a gateway is called: by its name only where there are several. */
export const nameOf = (site: Site, which: number): string =>
  site.gateways.length === 1 ? 'the gateway' : (site.gateways[which]?.name ?? `gateway ${which + 1}`)

/** Kills a gateway, says so, and says where its sensors went as soon as they are there. */
export async function killAndTell(site: Site, which: number, tell: (happening: string) => void): Promise<void> {
  const { moved } = await site.killGateway(which)
  tell(`${nameOf(site, which)} is killed (kill -9)`)
  void moved.then((moves) => {
    if (moves.length > 0) tell(describeMoves(site, moves))
  })
}

/** `12 sensors moved to gw-2, the last after 0.41 s`. */
function describeMoves(site: Site, moves: readonly { to: number; afterKill: Millis }[]): string {
  const targets = [...new Set(moves.map(({ to }) => to))].sort((a, b) => a - b)
  const slowest = Math.max(...moves.map(({ afterKill }) => afterKill))
  const where = targets.map((to) => nameOf(site, to)).join(' and ')
  return `${moves.length} sensors moved to ${where}, the last one was heard ${(slowest / 1000).toFixed(2)} s after the kill`
}
