import fc from 'fast-check'

// A run that failed fails again, and a change is not blamed for what it did not do: only longer runs, or those of another seed, explore.
const { TEST_SEED, TEST_SEEDS } = process.env
if (TEST_SEED !== undefined) fc.configureGlobal({ seed: Number(TEST_SEED) })
else if (TEST_SEEDS === undefined) fc.configureGlobal({ seed: 1 })
