/** Nodes of flows as tests deploy them. */

type NodeJson = Record<string, unknown>

export const tab = (id = 'tab1'): NodeJson => ({ id, type: 'tab', label: id, disabled: false, info: '' })

export const node = (id: string, type: string, wires: string[][], more: NodeJson = {}): NodeJson => ({
  id,
  type,
  z: 'tab1',
  name: '',
  x: 100,
  y: 100,
  wires,
  ...more,
})

export const threshold = (id: string, more: NodeJson = {}, wires: string[][] = [[], [], []]): NodeJson =>
  node(id, 'tidegate-threshold', wires, { name: id, kind: 'above', raise: '80', ...more })

/** Puts what it gets into the log, as JSON behind its id. */
export const logger = (id: string): NodeJson =>
  node(id, 'function', [[]], {
    func: `node.warn('${id} ' + JSON.stringify({ ...msg, _msgid: undefined, error: msg.error && msg.error.message }))`,
    outputs: 1,
    libs: [],
  })

/** Answers `GET /in/<id>?m=<JSON>` at once, and sends the JSON on as a message. */
export const input = (id: string, to: string[]): NodeJson[] => [
  node(`${id}-in`, 'http in', [[`${id}-fn`]], { url: `/in/${id}`, method: 'get' }),
  node(`${id}-fn`, 'function', [[`${id}-out`], to], {
    func: 'return [{ ...msg, payload: 1 }, JSON.parse(msg.req.query.m)]',
    outputs: 2,
    libs: [],
  }),
  node(`${id}-out`, 'http response', []),
]

export const catcher = (to: string): NodeJson => node('catch', 'catch', [[to]], { scope: null, uncaught: false })
