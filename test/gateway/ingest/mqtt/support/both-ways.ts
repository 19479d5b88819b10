import { describe } from 'vitest'
import { startTestServer, type TestServer, type TestServerOptions } from './server.ts'

/** How publishes of MQTT 3.1.1 may come to the acceptor: past the broker library where they can, or all of them through it. */
const WAYS: ReadonlyArray<readonly [name: string, directWay: boolean]> = [
  ['the direct way', true],
  ['the library’s way', false],
]

export interface Way {
  directWay: boolean
  startTestServer(options?: TestServerOptions): Promise<TestServer>
}

/** Tests of what a client sees, and the acceptor: it must not show which way a publish took. */
export function overBothWays(tests: (way: Way) => void): void {
  describe.each(WAYS)('over %s', (_name, directWay) => {
    tests({ directWay, startTestServer: (options) => startTestServer({ directWay, ...options }) })
  })
}
