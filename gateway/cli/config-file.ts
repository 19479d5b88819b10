import { CONFIG_FILE_VARIABLE, type Config, type Environment, loadConfig } from '../config/index.ts'
import { text } from './option.ts'

const USUAL = 'tidegate.yaml'

/** `--config FILE`, the same for every command that reads the gateway's configuration. */
export const configOption = text('FILE', `Configuration file [${CONFIG_FILE_VARIABLE}, else ${USUAL}]`)

/** The file that `--config` names, else the one that the environment names, else `tidegate.yaml` here. */
export const configFile = (option: string | undefined, env: Environment): string =>
  option ?? (env[CONFIG_FILE_VARIABLE] || USUAL)

/** @throws OperatorError when it cannot be read or is not valid */
export const readConfig = (option: string | undefined, env: Environment): Promise<Config> =>
  loadConfig(configFile(option, env), env)
