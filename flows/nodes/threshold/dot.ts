import type { Dot } from '../red.ts'
import type { Standing } from '../shared/index.ts'

/** Everything that a threshold node's dot depends on. */
export interface ThresholdFacts {
  standing: Standing
  /** Alarms beyond their limit. */
  raised: number
  /** The stream of events is open. */
  link: boolean
  /** A message has changed the rule since the form was filled in. */
  changed: boolean
}

/**
 * Grey = waiting for the gateway, green = within limits, red = so many alarms raised, or this rule is wrong; yellow = not deployed because
 * of another rule. A ring where the form's limits are not those in force.
 */
export function dotOf({ standing, raised, link, changed }: ThresholdFacts): Dot {
  const shape = changed ? 'ring' : 'dot'
  switch (standing.state) {
    case 'problem':
      return { fill: 'red', shape: 'ring', text: short(standing.text) }
    case 'blocked':
      return { fill: 'yellow', shape: 'ring', text: 'not deployed: see the node with the red ring' }
    case 'waiting':
      return { fill: 'grey', shape: 'ring', text: short(standing.text) }
    case 'deployed':
      if (!link) return { fill: 'grey', shape: 'ring', text: 'deployed; waiting for the gateway' }
      if (raised > 0) return { fill: 'red', shape, text: `${raised} raised` }
      return { fill: 'green', shape, text: changed ? 'normal (limits set by message)' : 'normal' }
  }
}

const short = (text: string): string => (text.length > 60 ? `${text.slice(0, 59)}…` : text)
