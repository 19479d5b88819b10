import type { Site, SiteOptions } from '../../../simulators/site/index.ts'
import { inStep, PAIR } from '../../e2e/support/pair.ts'
import { onSite } from '../../support/site.ts'
import { NetworkedMachines } from './networked-machines.ts'

export const MQTT_PORT = 1883

/** Runs `test` with each gateway on a machine of its own; devices and centre are here. */
export async function onMachines(
  test: (site: Site, network: NetworkedMachines, dir: string) => Promise<void>,
  more: (network: NetworkedMachines) => Partial<SiteOptions> = () => ({}),
): Promise<void> {
  const network = await NetworkedMachines.build(2)
  try {
    const { machines, centralHost } = network
    const options = { ...PAIR, machines, centralHost, mqttPort: MQTT_PORT, ...more(network) }
    await onSite(options, async (site, dir) => {
      await inStep(site)
      await test(site, network, dir)
    })
  } finally {
    await network.remove()
  }
}
