import type { Reading } from '../../../sync/contract/index.ts'

/** The label that readings from flows carry, so that a flow does not take its own output for input. */
export const ORIGIN_LABEL = { via: 'node-red' } as const

export const isOurs = ({ labels }: Reading): boolean => labels?.['via'] === ORIGIN_LABEL.via
