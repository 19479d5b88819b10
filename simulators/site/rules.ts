import type { KnownThreshold } from '../ledger/index.ts'

/** What the site's alarms are about; the sensors' spikes go beyond. */
export const SITE_THRESHOLDS: readonly KnownThreshold[] = [
  { rule: 'too-hot', metric: 'temperature', raise: 32, clear: 30 },
  { rule: 'too-humid', metric: 'humidity', raise: 70, clear: 65 },
  { rule: 'water-hammer', metric: 'pressure', raise: 9.2, clear: 8.8 },
  { rule: 'bearing', metric: 'vibration', raise: 5, clear: 4.5 },
  { rule: 'inrush', metric: 'power', raise: 5500, clear: 5000 },
]

/** The same as a gateway's rule set. */
export const siteRules = (): object => ({
  rules: SITE_THRESHOLDS.map(({ rule, metric, raise, clear }) => ({
    id: rule,
    match: { metric },
    above: { raise, clear },
    severity: rule === 'too-hot' ? 'critical' : 'medium',
    message: '{device}: {metric} {value} {unit} is beyond {limit}',
  })),
})
