import type { Command } from '../command.ts'
import { configCheck } from './config-check.ts'
import { configExample } from './config-example.ts'
import { configReference } from './config-reference.ts'
import { configSchema } from './config-schema.ts'
import { demo } from './demo.ts'
import { run } from './run.ts'

/** All commands, in the order in which the help lists them. */
export const COMMANDS: readonly Command[] = [run, demo, configCheck, configExample, configReference, configSchema]
