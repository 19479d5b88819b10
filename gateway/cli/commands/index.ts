import type { Command } from '../command.ts'
import { centralApply } from './central-apply.ts'
import { configCheck } from './config-check.ts'
import { configExample } from './config-example.ts'
import { configReference } from './config-reference.ts'
import { configSchema } from './config-schema.ts'
import { demo } from './demo.ts'
import { outboxInspect } from './outbox-inspect.ts'
import { outboxRepair } from './outbox-repair.ts'
import { outboxVerify } from './outbox-verify.ts'
import { run } from './run.ts'
import { simulate } from './simulate.ts'
import { tail } from './tail.ts'
import { verify } from './verify.ts'

/** All commands, in the order in which the help lists them. */
export const COMMANDS: readonly Command[] = [
  run,
  demo,
  simulate,
  verify,
  tail,
  outboxInspect,
  outboxVerify,
  outboxRepair,
  centralApply,
  configCheck,
  configExample,
  configReference,
  configSchema,
]
