/** One rule for every series. */
export const ONE_RULE = { rules: [{ id: 'high', match: {}, above: { raise: 29.9, clear: 29 } }] }

/** Three for every series: a threshold, a ladder held for a while, and silence. */
export const THREE_RULES = {
  rules: [
    ...ONE_RULE.rules,
    { id: 'steps', match: {}, ladder: { lo: 18, hi: 31, hihi: 40 }, for: '10s' },
    { id: 'silent', match: {}, missing: { after: '10m' } },
  ],
}
