import type { Site } from '../../../simulators/site/index.ts'
import { describeError } from '../../../sync/contract/index.ts'
import { killAndTell, nameOf } from './kill.ts'
import type { Wish } from './wish.ts'

/** Carries out one wish at a time; what cannot be done is told, not thrown. */
export function wishFulfiller(
  site: Site,
  tell: (happening: string) => void,
  quit: () => void,
): { wish: (wish: Wish) => void; idle: () => Promise<void> } {
  let last: Promise<void> = Promise.resolve()
  return {
    wish: (wish) => {
      last = last.then(() => fulfil(site, wish, tell, quit)).catch((error: unknown) => tell(describeError(error)))
    },
    idle: () => last,
  }
}

async function fulfil(site: Site, wish: Wish, tell: (happening: string) => void, quit: () => void): Promise<void> {
  const { linkCut, peersCut } = site.view()
  switch (wish.do) {
    case 'quit':
      return quit()
    case 'link': {
      const cut = wish.how === 'cut' || (wish.how === 'toggle' && !linkCut)
      await (cut ? site.cutLink() : site.healLink())
      return tell(cut ? 'the link is cut' : 'the link is back')
    }
    case 'peers': {
      const cut = wish.how === 'cut' || (wish.how === 'toggle' && !peersCut)
      await forEachPair(site, (a, b) => (cut ? site.cutPeers(a, b) : site.healPeers(a, b)))
      return tell(cut ? 'the gateways cannot see each other' : 'the gateways see each other again')
    }
    case 'gateway':
      return await fulfilAtGateways(site, wish, tell)
  }
}

/** Without a number: the first that lives is killed; all that are dead are started when none lives, or when that is the wish. */
async function fulfilAtGateways(
  site: Site,
  { which, how }: Extract<Wish, { do: 'gateway' }>,
  tell: (happening: string) => void,
): Promise<void> {
  const meant = site.gateways.flatMap(({ process }, number) =>
    which === null || which === number ? [{ number, running: process.running }] : [],
  )
  const victim = meant.find(({ running }) => running)
  if (how === 'kill' || (how === 'toggle' && victim)) {
    if (victim) await killAndTell(site, victim.number, tell)
    return
  }
  for (const { number, running } of meant) {
    if (running) continue
    await site.startGateway(number)
    tell(`${nameOf(site, number)} is back`)
  }
}

async function forEachPair(site: Site, act: (a: number, b: number) => Promise<void>): Promise<void> {
  for (const a of site.gateways.keys()) for (const b of site.gateways.keys()) if (a < b) await act(a, b)
}
