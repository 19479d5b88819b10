import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/chaos/**', 'test/bench/**', 'test/browser/**', 'node_modules/**'],
    setupFiles: ['test/support/fixed-seed.ts'],
    // Who asks for more cases gives them their time.
    testTimeout: process.env['TEST_SEEDS'] === undefined ? 60_000 : 3_600_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
  },
})
