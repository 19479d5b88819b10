/** A list or section in YAML's one-line form. */
export function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value)
      .map(([key, child]) => `${key}: ${flow(child)}`)
      .join(', ')}}`
  }
  // In one line, braces, commas and the like inside a text would end it.
  return typeof value === 'string' && !/^[\w./:-]+$/.test(value) ? `'${value}'` : String(value)
}
