import { join } from 'node:path'
import { GatewayApi } from '../../../flows/api/index.ts'
import type { Millis, ThresholdEvent } from '../../../sync/contract/index.ts'
import { type Clock, pause } from '../../../sync/runtime/index.ts'

const AGAIN_AFTER: Millis = 300

/** Tells of every alarm of the site once, as it becomes durable, over every death of its gateways, until `signal` aborts. */
export async function followAlarms(
  dataDirs: readonly string[],
  clock: Clock,
  signal: AbortSignal,
  tell: (event: ThresholdEvent) => void,
): Promise<void> {
  const told = new Set<string>()
  const tellOnce = (event: ThresholdEvent): void => {
    if (told.has(event.id)) return
    told.add(event.id)
    tell(event)
  }
  await Promise.all(dataDirs.map((dataDir) => followGateway(dataDir, clock, signal, tellOnce)))
}

async function followGateway(
  dataDir: string,
  clock: Clock,
  signal: AbortSignal,
  tell: (event: ThresholdEvent) => void,
): Promise<void> {
  const api = new GatewayApi(join(dataDir, 'api.json'), clock)
  let after = 'start'
  while (!signal.aborted) {
    try {
      for await (const message of api.stream('/events', { after, type: 'tidegate.*' }, signal, () => undefined)) {
        if (message.id) after = message.id
        if (message.event === 'threshold') tell(JSON.parse(message.data) as ThresholdEvent)
      }
    } catch {
      // The gateway is dead, or starting: the stream goes on behind what was told, from the same store.
    }
    await pause(clock, AGAIN_AFTER, signal)
  }
}

/** `sensor-003  too-hot raised: what people are told`. */
export function describeAlarm({ device, rule, type, data }: ThresholdEvent): string {
  const kind = type.replace(/^tidegate\.(alarm|flood|rules)\./, '')
  const message = typeof data['message'] === 'string' ? `: ${data['message']}` : ''
  return `${device}  ${rule} ${kind}${message}`
}
