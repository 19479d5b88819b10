import type { Environment } from '../config/index.ts'
import { readConfig } from './config-file.ts'
import { text } from './option.ts'

/** `--data DIR`, for commands that work on an outbox; without it the configuration says where that is. */
export const dataOption = text('DIR', "The gateway's data folder, instead of the one that the configuration names.")

/** @throws OperatorError when the configuration is asked and cannot be read or is not valid */
export async function dataDir(
  options: { config: string | undefined; data: string | undefined },
  env: Environment,
): Promise<string> {
  return options.data ?? (await readConfig(options.config, env)).dataDir
}
