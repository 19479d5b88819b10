import { GROUP_TOPIC, TOPIC } from '../fleet/index.ts'

/** One gateway of a site, as its configuration names it. */
export interface GatewaySettings {
  site: string
  gateway: string
  dataDir: string
  mqttHost: string
  mqttPort: number
  rulesFile: string
  /** Servers of the centre. */
  servers: readonly string[]
}

type Sections = Readonly<Record<string, Readonly<Record<string, unknown>>>>

/**
 * The configuration of a gateway of a site in a box.
 *
 * @param needed sections that depend on the rest of the site
 * @param more keys over what the site needs, by section
 */
export function gatewayConfig(
  settings: GatewaySettings,
  needed: Sections,
  more: Sections = {},
): Record<string, unknown> {
  const { site, gateway, dataDir, mqttHost, mqttPort, rulesFile, servers } = settings
  const own: Sections = {
    mqtt: { listeners: [{ kind: 'tcp', host: mqttHost, port: mqttPort }] },
    rules: { file: rulesFile },
    ingest: { topics: [{ template: TOPIC }, { template: GROUP_TOPIC }] },
    central: { servers, replicas: servers.length },
    // A laptop with little room left should still be able to look at it.
    outbox: { minFree: '16MB', reserve: '1MB' },
    ...needed,
  }
  const sections = [...new Set([...Object.keys(own), ...Object.keys(more)])]
  const merged = sections.map((section) => [section, { ...own[section], ...more[section] }])
  return { site, gateway, dataDir, ...Object.fromEntries(merged) }
}
