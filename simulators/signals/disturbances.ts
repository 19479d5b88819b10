import type { Millis } from '../../sync/contract/index.ts'
import { uniformAt } from './chance.ts'
import { type Episode, type EpisodeOptions, episodes } from './episodes.ts'
import type { Signal } from './signal.ts'

export interface StepsOptions {
  seed: number
  /** Mean time between two changes of level. */
  every: Millis
  /** Levels are drawn between -size and +size. */
  size: number
}

/** Machines switched up and down: piecewise constant, changing at random moments. */
export function steps({ seed, every, size }: StepsOptions): Signal {
  const level = (window: number): number => size * (2 * uniformAt(seed, 2 * window) - 1)
  return (t) => {
    const window = Math.floor(t / every)
    const change = (window + uniformAt(seed, 2 * window + 1)) * every
    return level(t < change ? window - 1 : window)
  }
}

/** A spike as it really was, for checking what an alarm made of it. */
export interface Spike extends Episode {
  /** What it added to the signal. */
  size: number
}

/** A signal that is 0 but for its spikes, and tells when they were. */
export interface SpikeSignal extends Signal {
  between(from: Millis, to: Millis): Spike[]
}

export interface SpikesOptions extends EpisodeOptions {
  /** Smallest and largest size; negative for dips. */
  size: readonly [number, number]
}

export function spikes({ size: [least, most], ...options }: SpikesOptions): SpikeSignal {
  const times = episodes(options)
  const sizeOf = (episode: Episode): number => least + (most - least) * uniformAt(options.seed ^ 0x5b1ce, episode.index)
  const signal: Signal = (t) => {
    const episode = times.at(t)
    return episode === undefined ? 0 : sizeOf(episode)
  }
  return Object.assign(signal, {
    between: (from: Millis, to: Millis): Spike[] =>
      times.between(from, to).map((episode) => ({ ...episode, size: sizeOf(episode) })),
  })
}

/** A signal that sometimes stays where it was, and tells when. */
export interface StuckSignal extends Signal {
  between(from: Millis, to: Millis): Episode[]
}

/** The sensor that freezes: during an episode it repeats the value that the episode began with. */
export function stuck(signal: Signal, options: EpisodeOptions): StuckSignal {
  const times = episodes(options)
  const frozen: Signal = (t) => signal(times.at(t)?.from ?? t)
  return Object.assign(frozen, { between: times.between })
}
