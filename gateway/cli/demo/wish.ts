/** What a person can ask of the demo. Gateways are numbered from 0; `null` is the one that is meant when nobody says which. */
export type Wish =
  | { do: 'quit' }
  | { do: 'link'; how: 'toggle' | 'cut' | 'heal' }
  | { do: 'peers'; how: 'toggle' | 'cut' | 'heal' }
  | { do: 'gateway'; which: number | null; how: 'toggle' | 'kill' | 'start' }

const KEYS = new Map<string, Wish>(
  Object.entries({
    c: { do: 'link', how: 'toggle' },
    l: { do: 'link', how: 'toggle' },
    p: { do: 'peers', how: 'toggle' },
    k: { do: 'gateway', which: null, how: 'toggle' },
    q: { do: 'quit' },
    '\u0003': { do: 'quit' },
  }),
)

const WORDS = new Map<string, Wish>(
  Object.entries({
    cut: { do: 'link', how: 'cut' },
    heal: { do: 'link', how: 'heal' },
    split: { do: 'peers', how: 'cut' },
    join: { do: 'peers', how: 'heal' },
    kill: { do: 'gateway', which: null, how: 'kill' },
    restart: { do: 'gateway', which: null, how: 'start' },
    quit: { do: 'quit' },
  }),
)

/** A key that was pressed. @returns null when it means nothing on a site with so many gateways */
export function wishOfKey(key: string, gateways: number): Wish | null {
  const wish = /^[1-9]$/.test(key)
    ? ({ do: 'gateway', which: Number(key) - 1, how: 'toggle' } as const)
    : (KEYS.get(key.toLowerCase()) ?? null)
  return wish !== null && possible(wish, gateways) ? wish : null
}

/** A line that was typed: `cut`, `kill 2`. @returns null when it means nothing on a site with so many gateways */
export function wishOfLine(line: string, gateways: number): Wish | null {
  const [word = '', which, ...rest] = line.trim().toLowerCase().split(/\s+/)
  const wish = WORDS.get(word) ?? null
  if (wish === null || rest.length > 0) return null
  if (which === undefined) return possible(wish, gateways) ? wish : null
  if (wish.do !== 'gateway' || !/^[1-9]$/.test(which)) return null
  const precise: Wish = { ...wish, which: Number(which) - 1 }
  return possible(precise, gateways) ? precise : null
}

function possible(wish: Wish, gateways: number): boolean {
  if (wish.do === 'peers') return gateways > 1
  return wish.do !== 'gateway' || wish.which === null || wish.which < gateways
}
