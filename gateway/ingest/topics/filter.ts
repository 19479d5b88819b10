import { OperatorError } from '../../../sync/contract/index.ts'
import type { Level, Pattern } from './pattern.ts'

/**
 * A standard MQTT topic filter (MQTT 3.1.1 §4.7): `+` for one level, `#` at the end for the rest.
 *
 * @throws OperatorError `TOPIC_FILTER_INVALID`
 */
export function parseFilter(filter: string): Pattern {
  if (filter === '') throw invalid(filter, 'it is empty')
  if (filter.includes('\0')) throw invalid(filter, 'it holds a NUL character')
  const parts = filter.split('/')
  const rest = parts.at(-1) === '#'
  const levels = (rest ? parts.slice(0, -1) : parts).map((text): Level => {
    if (text === '+') return { kind: 'any' }
    if (text === '#') throw invalid(filter, "'#' is only allowed as the last level")
    if (/[+#]/.test(text)) throw invalid(filter, `'+' and '#' must stand alone in a level, not as in '${text}'`)
    return { kind: 'literal', text }
  })
  return { levels, rest }
}

function invalid(filter: string, fault: string): OperatorError {
  return new OperatorError(
    'TOPIC_FILTER_INVALID',
    `local topic filter '${filter}': ${fault}. Expected an MQTT topic filter such as 'local/#' or 'sensors/+/set'`,
  )
}
