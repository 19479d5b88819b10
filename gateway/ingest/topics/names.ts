/** Longest name of a device or metric, and longest key or value of a label, in UTF-16 units. */
export const MAX_NAME = 256

/** Most labels that one reading may carry, those of its topic included. */
export const MAX_LABELS = 16

/** Control characters (C0, DEL, C1), and halves of surrogate pairs: with the `u` flag whole pairs are one character. */
const UNFIT = /[\p{Cc}\p{Cs}]/u

/** The same without tab and line ends. */
const UNFIT_IN_LINES = /(?![\t\n\r])[\p{Cc}\p{Cs}]/u

/**
 * What keeps a text from being a unit, an id or part of a name; null when nothing does. Control characters and half
 * surrogate pairs are refused because terminals, databases and NATS subjects downstream break on them.
 *
 * @param lines tabs and line ends are allowed
 */
export function textFault(text: string, max: number, lines = false): string | null {
  if (text === '') return 'is empty'
  if (text.length > max) return `has ${text.length} characters, more than ${max}`
  if (!(lines ? UNFIT_IN_LINES : UNFIT).test(text)) return null
  return 'has a control character or half a surrogate pair'
}

/**
 * What keeps a text from naming a device, metric or label; null when nothing does. `__proto__` is harmless here, but
 * not in every program behind us that keeps readings in an object by their name.
 */
export function nameFault(name: string): string | null {
  return name === '__proto__' ? "is '__proto__', which is not a name" : textFault(name, MAX_NAME)
}
