/**
 * A gateway's configuration: one YAML file, `TIDEGATE_*` variables over it, defaults under it. And what other documents that
 * people write are read with: with the same building blocks, and the same kind of messages.
 */
export { isTooDeep, type PositionedDocument, readDocument, TOO_DEEP, withoutNulls } from './document.ts'
export { DURATION_FORM, parseDuration } from './duration.ts'
export { CONFIG_FILE_VARIABLE, type Environment, variableName } from './environment.ts'
export { configExampleYaml } from './example.ts'
export { type Explanation, explain } from './explain.ts'
export { choice, duration, flag, integer } from './fields.ts'
export { configJsonSchema, type JsonSchema } from './json-schema.ts'
export { loadConfig, type ParseOptions, parseConfig } from './load.ts'
export { nearest } from './nearest.ts'
export { ConfigError, listed, type Problem, pathName } from './problem.ts'
export { configReferenceMarkdown } from './reference.ts'
export type { Config } from './schema/index.ts'
