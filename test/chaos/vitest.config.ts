import { defineConfig } from 'vitest/config'

/** Long suites: storms on real processes, and thousands of simulated fault schedules. */
export default defineConfig({
  test: {
    include: ['test/chaos/**/*.test.ts', 'test/sync/forward/exactly-once.test.ts'],
    env: { TEST_SEEDS: process.env['TEST_SEEDS'] ?? '3000' },
    testTimeout: 3_600_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
  },
})
