import type { ClientProfileName, MqttVersion } from '../../simulators/fleet/index.ts'
import { choice, type Option } from './option.ts'

const PROFILES: readonly ClientProfileName[] = ['tuned', 'firmware', 'mqtt.js']

/** `--client`, for commands that run sensors. */
export const clientProfile = (initial: ClientProfileName): Option<ClientProfileName> =>
  choice(
    'PROFILE',
    'How fast sensors look for another gateway: after 0.35 s at most, after 1.5 s at most, or as mqtt.js does by itself.',
    PROFILES,
    initial,
  )

const VERSIONS = { '3.1.1': 4, '5': 5, mixed: 'mixed' } as const

type VersionName = keyof typeof VERSIONS

/** `--mqtt`, for commands that run sensors. */
export const mqttVersion: Option<VersionName> = choice(
  'VERSION',
  'Version of MQTT that sensors speak; every other one 5 if mixed.',
  ['3.1.1', '5', 'mixed'],
  '3.1.1',
)

export const versionOf = (name: VersionName): MqttVersion | 'mixed' => VERSIONS[name]
