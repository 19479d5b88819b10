import type { ClientProfileName } from '../../simulators/fleet/index.ts'
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
