/** One event of a stream (HTML Living Standard §9.2.6). */
export interface ServerSentEvent {
  /** `message` where the server names none */
  event: string
  data: string
  /** The newest id so far: where to go on from; null when there was none. */
  lastId: string | null
}

/** Reads server-sent events from text as it comes, in whatever pieces. */
export class EventStreamParser {
  #rest = ''
  #event = ''
  #data: string[] = []
  #lastId: string | null = null

  /** Where to go on from; also events without data move it. */
  get lastId(): string | null {
    return this.#lastId
  }

  /** The events that are complete with this piece. */
  *push(piece: string): Iterable<ServerSentEvent> {
    const text = this.#rest + piece
    const lines = text.split(/\r\n|\n|\r(?!$)/)
    this.#rest = lines.pop() ?? ''
    for (const line of lines) {
      const event = this.#line(line)
      if (event) yield event
    }
  }

  #line(line: string): ServerSentEvent | null {
    if (line === '') return this.#dispatch()
    const [, name = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? []
    if (name === 'data') this.#data.push(value)
    else if (name === 'event') this.#event = value
    else if (name === 'id' && !value.includes('\0')) this.#lastId = value
    return null
  }

  #dispatch(): ServerSentEvent | null {
    const [event, data] = [this.#event || 'message', this.#data]
    this.#event = ''
    this.#data = []
    return data.length === 0 ? null : { event, data: data.join('\n'), lastId: this.#lastId }
  }
}
