import { OperatorError } from '../../sync/contract/index.ts'
import {
  type Explanation,
  explain,
  isTooDeep,
  listed,
  type PositionedDocument,
  type Problem,
  pathName,
  readDocument,
  TOO_DEEP,
  withoutNulls,
} from '../config/index.ts'
import { conditionFaults, repeatedIds, ruleFaults } from './consistency.ts'
import { ruleSetJsonSchema } from './json-schema.ts'
import { type RuleSetInput, ruleSchema, ruleSetSchema } from './schema.ts'

/** The rule set cannot be used as it is. `problems` holds everything that is wrong, the message all of it as lines. */
export class RulesError extends OperatorError {
  readonly problems: readonly Problem[]

  constructor(problems: readonly Problem[]) {
    super('RULES_INVALID', `the rule set has ${listed(problems)}`)
    this.problems = problems
  }
}

/**
 * A rule set from its text, YAML or JSON.
 *
 * @param name what the text is called in messages
 * @throws RulesError `RULES_INVALID` with everything that is wrong, not only the first thing
 */
export function parseRules(text: string, name: string): RuleSetInput {
  return readRules(text, name).input
}

/**
 * The same, with what was written beside what it says.
 *
 * @throws RulesError `RULES_INVALID`
 */
export function readRules(text: string, name: string): { given: unknown; input: RuleSetInput } {
  const document = readDocument(text, name)
  if (document.problems.length > 0) throw new RulesError(document.problems)
  const given = document.value ?? {}
  return { given, input: check(given, name, document) }
}

/**
 * A rule set that came as an object, over HTTP for instance.
 *
 * @throws RulesError `RULES_INVALID` with everything that is wrong; there are no lines
 */
export function checkRules(value: unknown, name = 'rules'): RuleSetInput {
  if (isTooDeep(value)) throw new RulesError([{ where: name, path: '', message: TOO_DEEP }])
  return check(value, name, null)
}

function check(given: unknown, name: string, document: PositionedDocument | null): RuleSetInput {
  const input = withoutNulls(given)
  const result = ruleSetSchema.safeParse(input)
  const issues = result.error?.issues ?? []
  const faults = [...shapeFaults(issues, input), ...withoutEchoes(faultsBetweenKeys(input), issues)]
  if (result.success && faults.length === 0) return result.data
  const problems = faults.map(({ path, message }): Problem => {
    const line = document?.lineOf(path)
    return { where: name, ...(line === undefined ? {} : { line }), path: pathName(path), message }
  })
  throw new RulesError(problems.sort((one, other) => (one.line ?? 0) - (other.line ?? 0)))
}

type Issue = Parameters<typeof explain>[0]

function shapeFaults(issues: readonly Issue[], input: unknown): Explanation[] {
  if (issues.length === 0) return []
  const schema = ruleSetJsonSchema()
  return issues.flatMap((issue) => {
    const faults = explain(issue, input, schema)
    return issue.code === 'custom' ? withoutEchoes(faults, issues) : faults
  })
}

/** A section with a key that is misspelt lacks the one that was meant: it is enough to say the first. */
function withoutEchoes(faults: readonly Explanation[], issues: readonly Issue[]): Explanation[] {
  const misspelt = new Set(issues.filter(({ code }) => code === 'unrecognized_keys').map(({ path }) => pathName(path)))
  return faults.filter(({ path }) => !misspelt.has(pathName(path)))
}

/** Also of a set that has the wrong shape elsewhere, so that everything is said at once. */
function faultsBetweenKeys(input: unknown): Explanation[] {
  const rules: unknown = typeof input === 'object' && input !== null && 'rules' in input ? input.rules : undefined
  if (!Array.isArray(rules)) return []
  return [
    ...repeatedIds(rules),
    ...rules.flatMap((rule, index) => {
      const path = ['rules', index]
      const faults = conditionFaults(rule, path)
      const read = ruleSchema.safeParse(rule)
      return read.success && faults.length === 0 ? ruleFaults(read.data, path) : faults
    }),
  ]
}
