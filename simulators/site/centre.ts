import { join } from 'node:path'
import type { Clock, Random } from '../../sync/runtime/index.ts'
import { CentralCluster, type CentralServer, startCentral, startCluster } from '../central/index.ts'
import { portOr } from './port.ts'

/** One server, or three that hold everything together. */
export type Centre = CentralServer | CentralCluster

export async function startCentre(
  options: { dir: string; nodes?: 1 | 3; centralPort?: number; centralHost?: string },
  clock: Clock,
  random: Random,
): Promise<Centre> {
  const dir = join(options.dir, 'central')
  const host = options.centralHost === undefined ? {} : { host: options.centralHost }
  if (options.nodes === 3) return await startCluster({ dir, ...host, clock, random })
  return await startCentral({ dir, ...host, port: await portOr(options.centralPort, random), clock, random })
}

export const urlsOf = (centre: Centre): readonly string[] =>
  centre instanceof CentralCluster ? centre.urls : [centre.url]
