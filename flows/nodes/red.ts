/** The part of Node-RED's runtime API that our nodes use (https://nodered.org/docs/creating-nodes/). */

export interface Message {
  _msgid?: string
  topic?: unknown
  payload?: unknown
  [property: string]: unknown
}

export type Send = (message: Message | readonly (Message | null)[]) => void
/** Says that a message was dealt with; with an error it goes to Catch nodes. */
export type Done = (error?: unknown) => void

export interface Dot {
  fill?: 'red' | 'green' | 'yellow' | 'blue' | 'grey'
  shape?: 'ring' | 'dot'
  text?: string
}

export interface FlowNode {
  id: string
  name?: string
  credentials?: Readonly<Record<string, string | undefined>>
  on(event: 'input', listener: (message: Message, send: Send, done: Done) => void): void
  on(event: 'close', listener: (removed: boolean, done: () => void) => void): void
  send: Send
  status(dot: Dot): void
  warn(text: string): void
  error(text: string, message?: Message): void
  context(): { get(key: string): unknown; set(key: string, value: unknown): void }
}

interface AdminResponse {
  json(body: unknown): void
}

export interface Red {
  nodes: {
    createNode(node: FlowNode, config: unknown): void
    registerType<Config>(
      type: string,
      create: (this: FlowNode, config: Config) => void,
      options?: { credentials?: Readonly<Record<string, { type: 'text' | 'password' }>> },
    ): void
    getNode(id: string): unknown
  }
  events: { on(event: string, listener: (detail: unknown) => void): void }
  settings: { userDir?: string }
  auth: { needsPermission(permission: string): unknown }
  httpAdmin: {
    get(path: string, permission: unknown, handler: (request: unknown, response: AdminResponse) => void): void
  }
}
