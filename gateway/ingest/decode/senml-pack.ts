import { type DecodeProblem, problem, show } from './codes.ts'
import { isObject, type JsonObject } from './fields.ts'

/** The labels of the values, one of which a record has (RFC 8428 §4.2). */
export const VALUE_LABELS = ['v', 'vs', 'vb', 'vd'] as const

const BASE_LABELS: ReadonlySet<string> = new Set(['bn', 'bt', 'bu', 'bv', 'bs', 'bver'])
const LABELS: ReadonlySet<string> = new Set([...BASE_LABELS, ...VALUE_LABELS, 'n', 'u', 's', 't', 'ut'])

/** RFC 8428 §4.1: the version of the format that this document defines, and the default. */
const VERSION = 10

/** The base fields in force (RFC 8428 §4.1): each holds from its record on, up to the next that sets it. */
export class Base {
  name = ''
  time = 0
  unit: string | undefined = undefined
  value = 0
  sum: number | null = null
}

/**
 * True if an array is meant as a SenML pack and not as a list of readings: its first object has no `value`, and has a
 * name (`bn`, `n`) or nothing but SenML labels. `[{"v":230,"i":2}]` is a list of two metrics, `[{"v":230}]` is a pack.
 */
export function isSenml(array: readonly unknown[]): boolean {
  const first = array.find(isObject)
  if (first === undefined || first['value'] !== undefined) return false
  if (typeof first['bn'] === 'string' || typeof first['n'] === 'string') return true
  const keys = Object.keys(first)
  return keys.length > 0 && keys.every((key) => LABELS.has(key))
}

/**
 * Finds what forbids using any of a pack (RFC 8428 §4.4): a version that we do not know, more than one version, or a
 * field that must be understood and is not.
 */
export function checkPack(pack: readonly unknown[]): DecodeProblem | null {
  let version: unknown
  for (const record of pack) {
    if (!isObject(record)) continue
    for (const key in record) {
      if (key.endsWith('_')) return problem('SENML_FIELD_UNKNOWN', `field ${show(key)} must be understood, and is not`)
    }
    const given = record['bver']
    if (given === undefined) continue
    if (typeof given !== 'number' || !Number.isInteger(given) || given < 1 || given > VERSION)
      return problem('SENML_VERSION', `bver: expected a whole number from 1 to ${VERSION}, got ${show(given)}`)
    if (version !== undefined && version !== given)
      return problem('SENML_VERSION', `bver: expected one version in a pack, got ${show(version)} and ${show(given)}`)
    version = given
  }
  return null
}

/** Takes over the base fields of a record; on a problem none of the records from here on can be trusted. */
export function applyBase(base: Base, record: JsonObject): DecodeProblem | null {
  const { bn, bt, bu, bv, bs } = record
  if (bn !== undefined && typeof bn !== 'string') return broken('bn', 'a text', bn)
  if (bt !== undefined && !isFiniteNumber(bt)) return broken('bt', 'a finite number', bt)
  if (bu !== undefined && typeof bu !== 'string') return broken('bu', 'a text', bu)
  if (bv !== undefined && !isFiniteNumber(bv)) return broken('bv', 'a finite number', bv)
  if (bs !== undefined && !isFiniteNumber(bs)) return broken('bs', 'a finite number', bs)
  base.name = bn ?? base.name
  base.time = bt ?? base.time
  base.unit = bu ?? base.unit
  base.value = bv ?? base.value
  base.sum = bs ?? base.sum
  return null
}

/** True for a record that only sets base fields for those after it (RFC 8428 §5.1.7 begins with one). */
export function isBaseOnly(record: JsonObject): boolean {
  return Object.keys(record).every((key) => BASE_LABELS.has(key))
}

function isFiniteNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function broken(label: string, expected: string, value: unknown): DecodeProblem {
  return problem('SENML_BASE_INVALID', `${label}: expected ${expected}, got ${show(value)}`)
}
