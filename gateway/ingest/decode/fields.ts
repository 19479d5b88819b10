/** A JSON object as it was parsed: own keys only are read, so that a key `__proto__` is a key like any other. */
export type JsonObject = Readonly<Record<string, unknown>>

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What the reserved keys of one object hold, not yet checked. A key with null counts as absent, except `value`. */
export class Fields {
  value: unknown = undefined
  device: unknown = undefined
  metric: unknown = undefined
  time: unknown = undefined
  unit: unknown = undefined
  seq: unknown = undefined
  session: unknown = undefined
  id: unknown = undefined
  quality: unknown = undefined
  labels: unknown = undefined
}

const RESERVED: ReadonlySet<string> = new Set([
  ...Object.keys(new Fields()),
  ...['ts', 'timestamp', 'boot'], // aliases
])

/** True for keys that say something about a reading instead of being one. */
export function isReserved(key: string): boolean {
  return RESERVED.has(key)
}

/** Collects the reserved keys. `time` wins over its aliases `ts` and `timestamp`, `session` over `boot`. */
export function readFields(object: JsonObject): Fields {
  const fields = new Fields()
  // One pass over the keys that are there costs less than asking for a dozen keys that mostly are not.
  for (const key in object) {
    const value = object[key]
    if (value === null && key !== 'value') continue
    switch (key) {
      case 'value':
        fields.value = value
        break
      case 'device':
        fields.device = value
        break
      case 'metric':
        fields.metric = value
        break
      case 'time':
        fields.time = value
        break
      case 'ts':
      case 'timestamp':
        fields.time ??= value
        break
      case 'unit':
        fields.unit = value
        break
      case 'seq':
        fields.seq = value
        break
      case 'session':
        fields.session = value
        break
      case 'boot':
        fields.session ??= value
        break
      case 'id':
        fields.id = value
        break
      case 'quality':
        fields.quality = value
        break
      case 'labels':
        fields.labels = value
        break
    }
  }
  return fields
}
