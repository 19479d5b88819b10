import type { Command } from '../command.ts'
import { ALARM_ACTS, alarmsShelve } from './alarms-act.ts'
import { alarmsList } from './alarms-list.ts'
import { alarmsWatch } from './alarms-watch.ts'
import { centralApply } from './central-apply.ts'
import { configCheck } from './config-check.ts'
import { configExample } from './config-example.ts'
import { configReference } from './config-reference.ts'
import { configSchema } from './config-schema.ts'
import { demo } from './demo.ts'
import { handover } from './handover.ts'
import { outboxInspect } from './outbox-inspect.ts'
import { outboxRepair } from './outbox-repair.ts'
import { outboxVerify } from './outbox-verify.ts'
import { rulesCheck } from './rules-check.ts'
import { rulesExplain } from './rules-explain.ts'
import { rulesPut } from './rules-put.ts'
import { rulesSchema } from './rules-schema.ts'
import { rulesSets } from './rules-sets.ts'
import { rulesShow } from './rules-show.ts'
import { rulesTest } from './rules-test.ts'
import { run } from './run.ts'
import { simulate } from './simulate.ts'
import { status } from './status.ts'
import { tail } from './tail.ts'
import { verify } from './verify.ts'

/** All commands, in the order in which the help lists them. */
export const COMMANDS: readonly Command[] = [
  run,
  status,
  handover,
  demo,
  simulate,
  verify,
  tail,
  alarmsList,
  alarmsWatch,
  alarmsShelve,
  ...ALARM_ACTS,
  rulesCheck,
  rulesTest,
  rulesExplain,
  rulesSets,
  rulesShow,
  rulesPut,
  rulesSchema,
  outboxInspect,
  outboxVerify,
  outboxRepair,
  centralApply,
  configCheck,
  configExample,
  configReference,
  configSchema,
]
