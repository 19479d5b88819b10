import { describe, expect, it } from 'vitest'
import { drawBoard } from '../../../../gateway/cli/demo/board.ts'
import { drawKeys, drawWords } from '../../../../gateway/cli/demo/hints.ts'
import type { SiteView } from '../../../../simulators/site/index.ts'

const plain = (_: string, text: string): string => text

/** A site whose gateways are all dead. */
const dead = (names: readonly string[], more: Partial<SiteView> = {}): SiteView => ({
  gateways: names.map((name) => ({ name, status: null, linkCut: false })),
  fleet: {
    devices: 3,
    connections: 3,
    online: 1,
    homes: names.map((_, index) => (index === 0 ? 1 : 0)),
    published: 0,
    acknowledged: 0,
    inFlight: 0,
    waiting: 0,
    dropped: 0,
    reconnects: 0,
    restarts: 0,
  },
  linkCut: false,
  peersCut: false,
  ...more,
})

describe('the board of several gateways', () => {
  it('has a column for each, also for the dead', () => {
    const lines = drawBoard(dead(['gw-1', 'gw-2'], { peersCut: true }), [], plain)
    const find = (title: string): string[] =>
      lines
        .find((line) => line.trim().startsWith(title))
        ?.trim()
        .split(/ {2,}/) ?? []
    expect(find('gw-1')).toEqual(['gw-1', 'gw-2'])
    expect(find('state')).toEqual(['state', 'killed', 'killed'])
    expect(find('sensors')).toEqual(['sensors', '1', '0', '1 of 3 are connected'])
    expect(find('buffered').slice(0, 3)).toEqual(['buffered', '-', '-'])
    expect(find('between gateways')).toEqual(['between gateways', 'cut'])
  })
})

describe('the hints', () => {
  it.each([1, 2, 3])('fit into 90 columns with %i gateways', (count) => {
    const view = dead(['gw-1', 'gw-2', 'gw-3'].slice(0, count), { linkCut: true, peersCut: true })
    for (const line of [...drawKeys(view, plain), ...drawWords(view)]) expect(line.length).toBeLessThanOrEqual(90)
  })

  it('name a key for each gateway only where there are several', () => {
    expect(drawKeys(dead(['gw-1']), plain)).toHaveLength(1)
    expect(drawKeys(dead(['gw-1', 'gw-2']), plain)[0]).toContain('[2] start gw-2')
  })
})
