import type { Style } from '../terminal-text.ts'

const STYLES: Readonly<Record<string, Style>> = {
  critical: 'alarm',
  high: 'red',
  medium: 'yellow',
  low: 'cyan',
  info: 'dim',
}

/** The colour of a severity, most urgent first. */
export const severityStyle = (severity: string): Style => STYLES[severity] ?? 'dim'

/** Place of a severity in that order. */
export function urgency(severity: string): number {
  const place = Object.keys(STYLES).indexOf(severity)
  return place < 0 ? Object.keys(STYLES).length : place
}
