/**
 * Decides which readings cross a threshold. Part of the deterministic state machine: no clock, no I/O, no randomness;
 * the same readings in the same order give the same events, on every gateway and in every replay.
 */
export type { ActionNote, Alarm, Era } from './alarm.ts'
export { Backtest } from './backtest.ts'
export { type AlarmView, Engine } from './engine.ts'
export { alarmMessage, eventId } from './event.ts'
export { type ExplainedRule, explained } from './explained.ts'
export { Heard, type Origin, OWN, type StoredHeard } from './heard.ts'
export { ruleSetJsonSchema } from './json-schema.ts'
export type { GroupKeeper, KeptGroup, StoredEngine, StoredGroup } from './kept.ts'
export { isLater, tellsLife } from './later.ts'
export type { Action, AlarmState } from './lifecycle.ts'
export { checkRules, parseRules, RulesError, readRules } from './parse.ts'
export { compilePattern } from './pattern.ts'
export { RuleSet, ruleSetRevision, type Selected } from './rule-set.ts'
export { type RuleSetInput, ruleSetSchema } from './schema.ts'
export { SeriesMap } from './series-map.ts'
export { type KnownAlarm, knownAlarmSchema } from './told.ts'
