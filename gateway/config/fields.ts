import { z } from 'zod'
import type { Bytes, Millis } from '../../sync/contract/index.ts'
import { formatBytes, parseBytes, SIZE_FORM } from './bytes.ts'
import { DURATION_FORM, formatDuration, parseDuration } from './duration.ts'

/**
 * Building blocks of the schema. Each carries what the reference, the JSON Schema and the error messages need: `description`
 * is one or two sentences for the person who sets the key, `x-type` is the type as people call it.
 */
interface Range {
  min?: number
  max?: number
}

interface Quantity {
  parse(text: string): number | null
  format(value: number): string
  /** What was expected, when the text cannot be read. */
  form: string
  /** The type as people call it. */
  type: string
  pattern: string
  /** A number without a unit is understood. */
  bare: boolean
}

const SIZE: Quantity = {
  parse: parseBytes,
  format: formatBytes,
  form: SIZE_FORM,
  type: 'size',
  pattern: '^\\s*\\d+(\\.\\d+)?\\s*([kKmMgGtT]?[iI]?[bB])?\\s*$',
  bare: true,
}

const DURATION: Quantity = {
  parse: parseDuration,
  format: formatDuration,
  form: DURATION_FORM,
  type: 'duration',
  pattern: '^\\s*(0|(\\d+(\\.\\d+)?\\s*(ms|s|m|min|h|d|w|y)\\s*)+)\\s*$',
  bare: false,
}

function read(quantity: Quantity, input: unknown, range: Range): { value: number } | { expected: string } {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = range
  const bare = typeof input === 'number' && (quantity.bare || input === 0) ? String(input) : null
  const value = quantity.parse(typeof input === 'string' ? input : (bare ?? ''))
  if (value === null) return { expected: quantity.form }
  if (value < min) return { expected: `a ${quantity.type} of at least ${quantity.format(min)}` }
  if (value > max) return { expected: `a ${quantity.type} of at most ${quantity.format(max)}` }
  return { value }
}

function quantity(kind: Quantity, description: string, range: Range) {
  return z
    .unknown()
    .transform((input, context): number => {
      const result = read(kind, input, range)
      if ('value' in result) return result.value
      context.addIssue({ code: 'custom', input, message: result.expected })
      return z.NEVER
    })
    .meta({
      description,
      type: kind.bare ? ['string', 'integer'] : 'string',
      pattern: kind.pattern,
      'x-type': kind.type,
    })
}

function quantityOr(kind: Quantity, word: string, description: string, range: Range) {
  return z
    .unknown()
    .transform((input, context): number | null => {
      if (input === word) return null
      const result = read(kind, input, range)
      if ('value' in result) return result.value
      context.addIssue({ code: 'custom', input, message: `${result.expected}, or '${word}'` })
      return z.NEVER
    })
    .meta({
      description,
      anyOf: [{ const: word }, { type: kind.bare ? ['string', 'integer'] : 'string', pattern: kind.pattern }],
      'x-type': `${kind.type} or \`${word}\``,
    })
}

/** A size, read into bytes. */
export const size = (description: string, range: { min?: Bytes; max?: Bytes } = {}) =>
  quantity(SIZE, description, range)

/** A size, or a word that stands for "no limit" and is read into null. */
export const sizeOr = (word: string, description: string, range: { min?: Bytes; max?: Bytes } = {}) =>
  quantityOr(SIZE, word, description, range)

/** A duration, read into milliseconds. */
export const duration = (description: string, range: { min?: Millis; max?: Millis } = {}) =>
  quantity(DURATION, description, range)

/** A duration, or a word that stands for "no limit" and is read into null. */
export const durationOr = (word: string, description: string, range: { min?: Millis; max?: Millis } = {}) =>
  quantityOr(DURATION, word, description, range)

/** A whole number. */
export const integer = (description: string, range: Range = {}) =>
  z
    .int()
    .min(range.min ?? 0)
    .max(range.max ?? Number.MAX_SAFE_INTEGER)
    .meta({ description, 'x-type': 'number' })

/** A number, or a word that stands for "no limit" and is read into null. */
export const numberOr = (word: string, description: string, range: Range = {}) =>
  z
    .unknown()
    .transform((input, context): number | null => {
      if (input === word) return null
      if (typeof input === 'number' && input >= (range.min ?? 0) && input <= (range.max ?? Number.MAX_VALUE))
        return input
      context.addIssue({ code: 'custom', input, message: `a number of at least ${range.min ?? 0}, or '${word}'` })
      return z.NEVER
    })
    .meta({
      description,
      anyOf: [{ const: word }, { type: 'number', minimum: range.min ?? 0 }],
      'x-type': `number or \`${word}\``,
    })

/** A text that must not be empty. */
export const text = (description: string, example: string) =>
  z
    .string()
    .min(1)
    .meta({ description, examples: [example], 'x-type': 'text' })

/** A text that is never shown in messages. */
export const secret = (description: string, { min = 1, example = 'secret' } = {}) =>
  z
    .string()
    .min(min)
    .meta({ description, examples: [example], 'x-type': 'text', 'x-secret': true })

/** A file or folder; relative ones are taken from the folder of the configuration file. */
export const filePath = (description: string, example: string) =>
  z
    .string()
    .min(1)
    .meta({ description, examples: [example], 'x-type': 'path' })

/** Yes or no. */
export const flag = (description: string) => z.boolean().meta({ description, 'x-type': 'true or false' })

/** One of a few words. */
export const choice = <const T extends readonly [string, ...string[]]>(description: string, words: T) =>
  z.enum(words).meta({ description, 'x-type': words.map((word) => `\`${word}\``).join(' or ') })
