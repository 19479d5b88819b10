import type { SiteSummary } from '../../../simulators/site/index.ts'
import { number } from './numbers.ts'

/** What a run came to, for people. */
export function conclude(summary: SiteSummary): string {
  const { accepted, forwarded, lost, doubled, reordered, events, gateways } = summary
  return [
    `${number(accepted)} readings accepted, ${number(forwarded)} stored centrally${troubleOf(summary)}: ${lost} lost, ${doubled} doubled, ${reordered} reordered.`,
    `${events.raised} alarms raised, ${events.cleared} cleared: ${events.missed} missed, ${events.doubled} told twice.`,
    ...(gateways.length > 1 ? [movesOf(summary)] : []),
  ].join('\n')
}

function troubleOf({ cuts, kills, wipes, gateways }: SiteSummary): string {
  if (cuts + kills === 0) return ''
  const killed = gateways.length > 1 ? `gateways killed ${kills} times` : `the gateway killed ${kills} times`
  return ` with the link cut ${cuts} times and ${killed}${wipes > 0 ? `, ${wipes} of them losing their disk` : ''}`
}

function movesOf({ failoverMs: { moves, p50, p99 } }: SiteSummary): string {
  if (moves === 0) return 'No sensor had to move.'
  return `Sensors moved ${number(moves)} times, and were heard again ${seconds(p50)} after the kill (median), ${seconds(p99)} in the worst hundredth.`
}

const seconds = (millis: number | null): string => `${((millis ?? 0) / 1000).toFixed(2)} s`
