import { UsageError } from '../../sync/contract/index.ts'
import { DURATION_FORM, parseDuration } from '../config/index.ts'

/** One `--option` of a command. Its name is the key in the command's `options`, written in kebab case. */
export interface Option<T> {
  readonly description: string
  /** What its value is called in the help (`FILE`); null for a flag, which has none. */
  readonly placeholder: string | null
  /** Its value when it is not given. */
  readonly initial: T
  /** The default as the help shows it; null when there is none worth showing. */
  readonly shown: string | null
  /**
   * @param before its value so far: an option may be given several times
   * @throws UsageError `OPTION_INVALID`
   */
  read(text: string, name: string, before: T): T
}

export type Options = Readonly<Record<string, Option<unknown>>>

/** What a command gets for its options. */
export type Values<O extends Options> = { readonly [K in keyof O]: O[K] extends Option<infer T> ? T : never }

/** On or off: `--json`. */
export const flag = (description: string): Option<boolean> => ({
  description,
  placeholder: null,
  initial: false,
  shown: null,
  read: () => true,
})

/** A text: `--config FILE`. */
export function text(placeholder: string, description: string): Option<string | undefined>
export function text(placeholder: string, description: string, initial: string): Option<string>
export function text(placeholder: string, description: string, initial?: string): Option<string | undefined> {
  return { description, placeholder, initial, shown: initial ?? null, read: (value) => value }
}

/** A duration with its unit, in milliseconds: `--for 20s`. */
export function duration(description: string): Option<number | undefined>
export function duration(description: string, initial: string): Option<number>
export function duration(description: string, initial?: string): Option<number | undefined> {
  const read = (value: string, name: string): number => parseDuration(value) ?? invalid(name, DURATION_FORM, value)
  return {
    description,
    placeholder: 'DURATION',
    initial: initial === undefined ? undefined : read(initial, 'default'),
    shown: initial ?? null,
    read,
  }
}

/** A whole number of at least `min`: `--devices 20`. */
export function integer(description: string, min: number, range?: { max: number }): Option<number | undefined>
export function integer(description: string, min: number, initial: number): Option<number>
export function integer(
  description: string,
  min: number,
  initialOrRange?: number | { max: number },
): Option<number | undefined> {
  const initial = typeof initialOrRange === 'number' ? initialOrRange : undefined
  const max = typeof initialOrRange === 'object' ? initialOrRange.max : Number.POSITIVE_INFINITY
  const form =
    max === Number.POSITIVE_INFINITY ? `a whole number of at least ${min}` : `a whole number from ${min} to ${max}`
  return {
    description,
    placeholder: 'N',
    initial,
    shown: initial === undefined ? null : String(initial),
    read(value, name) {
      const number = Number(value)
      const fine = value.trim() !== '' && Number.isSafeInteger(number) && number >= min && number <= max
      return fine ? number : invalid(name, form, value)
    },
  }
}

/** One of a few words: `--profile steady`. */
export function choice<const T extends string>(
  placeholder: string,
  description: string,
  words: readonly T[],
  initial: NoInfer<T>,
): Option<T> {
  return {
    description: `${description} (${words.join(', ')})`,
    placeholder,
    initial,
    shown: initial,
    read: (value, name) => words.find((word) => word === value) ?? invalid(name, `one of ${words.join(', ')}`, value),
  }
}

/** Some of a few words, separated by commas: `--chaos kill,wipe`. */
export const words = <const T extends string>(
  placeholder: string,
  description: string,
  known: readonly T[],
): Option<readonly T[]> => ({
  description: `${description} (${known.join(', ')})`,
  placeholder,
  initial: [],
  shown: null,
  read: (value, name) =>
    value
      .split(',')
      .map((part) => known.find((word) => word === part.trim()) ?? invalid(name, `some of ${known.join(', ')}`, value)),
})

/** Texts, separated by commas or given one by one: `--gateway mqtt://a,mqtt://b`, `--gateway mqtt://a --gateway mqtt://b`. */
export const texts = (placeholder: string, description: string, initial: string): Option<readonly string[]> => {
  const usual = [initial]
  return {
    description,
    placeholder,
    initial: usual,
    shown: initial,
    read: (value, _, before) => [...(before === usual ? [] : before), ...value.split(',').map((part) => part.trim())],
  }
}

/** A moment, in Unix milliseconds: `--from 2026-05-01T12:00Z`. */
export const moment = (description: string): Option<number | undefined> => ({
  description,
  placeholder: 'TIME',
  initial: undefined,
  shown: null,
  read(value, name) {
    const time = /^\d{10,}$/.test(value) ? Number(value) : Date.parse(value)
    return Number.isSafeInteger(time)
      ? time
      : invalid(name, "a time like '2026-05-01T12:00Z' or Unix milliseconds", value)
  },
})

/** Names with their values, one each time it is given: `--label line=3 --label hall=A`. */
export const pairs = (description: string): Option<Readonly<Record<string, string>>> => ({
  description,
  placeholder: 'NAME=VALUE',
  initial: {},
  shown: null,
  read(value, name, before) {
    const at = value.indexOf('=')
    return at > 0 ? { ...before, [value.slice(0, at)]: value.slice(at + 1) } : invalid(name, 'NAME=VALUE', value)
  },
})

function invalid(name: string, expected: string, came: string): never {
  throw new UsageError('OPTION_INVALID', `${name}: expected ${expected}, got '${came}'`)
}
