/** What people and programs do to alarms and rules, and what time does: everything that decides without a reading. */
export { AlarmDesk, type AlarmInfo, type AlarmQuery, FILE_SET, type PutRules } from './desk.ts'
export { followRulesFile } from './rules-file.ts'
