import { defineConfig } from 'vitest/config'

// Three kinds of test by file name: pure and fast (*.test.ts), with real parts (*.int.test.ts), the whole (*.e2e.test.ts).
// Suites that need a broker (*.kafka.test.ts) run in `npm run test:kafka`, which starts one.
const kafka = process.env['CAIRN_TEST_KAFKA'] !== undefined

export default defineConfig({
  test: {
    projects: kafka
      ? [
          {
            test: {
              name: 'kafka',
              include: ['test/**/*.kafka.test.ts'],
              testTimeout: 120_000,
              hookTimeout: 120_000,
              fileParallelism: false,
            },
          },
        ]
      : [
          {
            test: {
              name: 'unit',
              include: ['test/**/*.test.ts'],
              exclude: ['test/**/*.{int,e2e,kafka}.test.ts'],
            },
          },
          {
            test: {
              name: 'int',
              include: ['test/**/*.int.test.ts'],
              testTimeout: 120_000,
              hookTimeout: 120_000,
              pool: 'forks',
              maxWorkers: 2,
            },
          },
          {
            test: {
              name: 'e2e',
              include: ['test/**/*.e2e.test.ts'],
              testTimeout: 300_000,
              hookTimeout: 300_000,
              pool: 'forks',
              fileParallelism: false,
            },
          },
        ],
  },
})
