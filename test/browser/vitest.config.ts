import { defineConfig } from 'vitest/config'

/** In a real browser: `npm run browser`. Apart from the others, because not every machine has one. */
export default defineConfig({
  test: {
    include: ['test/browser/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
  },
})
