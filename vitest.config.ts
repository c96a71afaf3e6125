import { defineConfig } from 'vitest/config';

const beside = ['**/*.test.{ts,tsx}'];
const never = ['**/node_modules/**', '**/.logweir/**', '**/dist/**'];

/**
 * `unit`: tests beside the code, parallel and fast. `e2e`: what needs several processes, one file after the other. Times here
 * end what hangs and measure nothing: a machine that has other things to do takes many times as long.
 */
export default defineConfig({
  test: {
    pool: 'forks',
    reporters: ['default', './test/house/summary-reporter.ts'],
    projects: [
      {
        test: {
          name: 'unit',
          pool: 'forks',
          include: beside,
          exclude: [...never, 'test/**'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          expect: { poll: { timeout: 30_000, interval: 20 } },
        },
      },
      {
        test: {
          name: 'e2e',
          pool: 'forks',
          include: ['test/**/*.test.ts'],
          exclude: never,
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 300_000,
          expect: { poll: { timeout: 120_000, interval: 50 } },
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
