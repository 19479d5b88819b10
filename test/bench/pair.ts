import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { freePorts, startCentral } from '../../simulators/central/index.ts'
import { TOPIC } from '../../simulators/fleet/index.ts'
import { GatewayProcess } from '../../simulators/site/index.ts'
import { systemRandom } from '../../sync/runtime/index.ts'
import type { BenchOptions } from './bench.ts'
import type { Scope } from './scope.ts'

/** Two gateways that are told of each other, in processes of their own, with a centre that is there all the while. */
export interface Pair {
  ports: readonly number[]
  gateways: readonly GatewayProcess[]
}

const READY: number = 20_000

/** @param durability when a publish is acknowledged: one disk has it, or both */
export async function startPair(
  { entry }: BenchOptions,
  scope: Scope,
  durability: 'local' | 'replicated',
): Promise<Pair> {
  const central = await startCentral({ dir: await scope.folder() })
  await scope.defer(() => central.stop())
  const ports = await freePorts(2, systemRandom)
  const secret = systemRandom.hex(16)
  const gateways: GatewayProcess[] = []
  for (const [own, port] of ports.entries()) {
    const dir = await scope.folder()
    const peers = ports.flatMap((other, n) =>
      n === own ? [] : [{ gateway: `gw-${n + 1}`, url: `mqtt://127.0.0.1:${other}` }],
    )
    const config = join(dir, 'tidegate.yaml')
    await mkdir(dir, { recursive: true })
    await writeFile(
      config,
      stringify({
        site: 'bench',
        gateway: `gw-${own + 1}`,
        dataDir: join(dir, 'outbox'),
        mqtt: { listeners: [{ kind: 'tcp', host: '127.0.0.1', port }] },
        ingest: { topics: [{ template: TOPIC }] },
        central: { servers: [central.url], replicas: 1 },
        outbox: { maxBytes: '10GB' },
        failover: { peers, secret, durability },
        log: { level: 'warn' },
      }),
    )
    const gateway = new GatewayProcess({ entry, config, env: {}, every: 250 })
    await scope.defer(() => gateway.stop())
    gateways.push(gateway)
  }
  await Promise.all(gateways.map((gateway) => gateway.start()))
  await Promise.all(
    gateways.map((gateway) =>
      gateway.waitFor((status) => status?.link.link === 'up' && isInStep(status.failover ?? null), READY),
    ),
  )
  return { ports, gateways }
}

/** All that is here is there: from now on two disks answer for what is acknowledged. */
const isInStep = (failover: { peers: readonly { inStep: boolean }[] } | null): boolean =>
  failover?.peers.every(({ inStep }) => inStep) === true
