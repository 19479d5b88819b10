import { describe, expect, it } from 'vitest'
import { countTests, NOTHING_RAN } from '../../../deploy/bootstrap/tests.mjs'

const file = (status: string, ...tests: string[]) => ({
  status,
  assertionResults: tests.map((test) => ({ status: test })),
})

describe('countTests', () => {
  it('counts tests that passed and tests that failed', () => {
    const testResults = [file('passed', 'passed', 'passed'), file('failed', 'passed', 'failed')]
    expect(countTests({ numPassedTests: 3, numFailedTests: 1, testResults }, 1)).toEqual({ passed: 3, failed: 1 })
  })

  it('counts a file that could not be loaded', () => {
    const testResults = [file('passed', 'passed'), file('failed')]
    expect(countTests({ numPassedTests: 1, numFailedTests: 0, testResults }, 1)).toEqual({ passed: 1, failed: 1 })
  })

  it('counts a file whose tests passed but whose clean-up did not', () => {
    const testResults = [file('failed', 'passed')]
    expect(countTests({ numPassedTests: 1, numFailedTests: 0, testResults }, 1)).toEqual({ passed: 1, failed: 1 })
  })

  it('counts a run that failed outside of any test', () => {
    const report = { numPassedTests: 1, numFailedTests: 0, testResults: [file('passed', 'passed')] }
    expect(countTests(report, 1)).toEqual({ passed: 1, failed: 1 })
    expect(countTests(null, 134)).toEqual({ passed: 0, failed: 1 })
  })

  it('finds nothing wrong where nothing is', () => {
    const report = { numPassedTests: 1, numFailedTests: 0, testResults: [file('passed', 'passed')] }
    expect(countTests(report, 0)).toEqual({ passed: 1, failed: 0 })
  })
})

it('a run that did not come to any test is a failure', () => {
  expect(NOTHING_RAN).toBe('0 passed, 1 failed')
})
