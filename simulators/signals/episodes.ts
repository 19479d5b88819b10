import type { Millis } from '../../sync/contract/index.ts'
import { uniformAt } from './chance.ts'

export interface EpisodeOptions {
  seed: number
  /** One window of this length holds at most one episode, so this is also the mean distance at `probability` 1. */
  every: Millis
  /** How long an episode lasts; at most `every`. */
  lasting: Millis
  /** Chance that a window has its episode; 1 by default. */
  probability?: number
}

/** A stretch of time in which something is the matter: `from` is inside, `to` is the first moment after it. */
export interface Episode {
  from: Millis
  to: Millis
  /** Number of the window that it lies in: names it, and seeds whatever is particular to it. */
  index: number
}

/** When something happens, and the truth about it afterwards. Random access, like the signals made of it. */
export interface Episodes {
  at(t: Millis): Episode | undefined
  /** All episodes that touch [from, to), in order. */
  between(from: Millis, to: Millis): Episode[]
}

/** Time is cut into windows; each window's own chance says whether, and where inside it, its episode lies. So none overlap. */
export function episodes({ seed, every, lasting, probability = 1 }: EpisodeOptions): Episodes {
  if (!(lasting > 0 && lasting <= every)) {
    throw new RangeError(`an episode must last more than 0 and at most its window of ${every} ms, not ${lasting} ms`)
  }
  const inWindow = (index: number): Episode | undefined => {
    if (uniformAt(seed, 2 * index) >= probability) return undefined
    const from = index * every + Math.floor(uniformAt(seed, 2 * index + 1) * (every - lasting))
    return { from, to: from + lasting, index }
  }
  return {
    at(t) {
      const episode = inWindow(Math.floor(t / every))
      return episode !== undefined && t >= episode.from && t < episode.to ? episode : undefined
    },
    between(from, to) {
      const found: Episode[] = []
      for (let index = Math.floor(from / every); index * every < to; index++) {
        const episode = inWindow(index)
        if (episode !== undefined && episode.from < to && episode.to > from) found.push(episode)
      }
      return found
    },
  }
}
