/** One message of a stream of server-sent events (WHATWG HTML, "Server-sent events"). */
export interface SseMessage {
  /** The stream's position after this message; null when the message has none of its own. */
  id: string | null
  event: string
  data: string
}

/** Takes the chunks of such a stream and gives its messages. Comments count as nothing. */
export class SseParser {
  #rest = ''
  #id: string | null = null
  #event = ''
  #data: string[] = []

  take(chunk: string): SseMessage[] {
    const lines = (this.#rest + chunk).split('\n')
    this.#rest = lines.pop() ?? ''
    return lines.flatMap((line) => this.#line(line.endsWith('\r') ? line.slice(0, -1) : line) ?? [])
  }

  #line(line: string): SseMessage | null {
    if (line === '') return this.#dispatch()
    const colon = line.indexOf(':')
    if (colon === 0) return null
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (field === 'id') this.#id = value
    else if (field === 'event') this.#event = value
    else if (field === 'data') this.#data.push(value)
    return null
  }

  #dispatch(): SseMessage | null {
    const message = { id: this.#id, event: this.#event || 'message', data: this.#data.join('\n') }
    const empty = this.#id === null && this.#data.length === 0
    this.#id = null
    this.#event = ''
    this.#data = []
    return empty ? null : message
  }
}
