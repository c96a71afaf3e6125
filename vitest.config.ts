import { defineConfig } from 'vitest/config';

const beside = ['**/*.test.{ts,tsx}'];
const never = ['**/node_modules/**', '**/.logweir/**', '**/dist/**'];

/** `unit`: tests beside the code, parallel and fast. `e2e`: what needs several processes, one file after the other. */
export default defineConfig({
  test: {
    pool: 'forks',
    reporters: ['default', './test/house/summary-reporter.ts'],
    projects: [
      { test: { name: 'unit', pool: 'forks', include: beside, exclude: [...never, 'test/**'], testTimeout: 10_000 } },
      {
        test: {
          name: 'e2e',
          pool: 'forks',
          include: ['test/**/*.test.ts'],
          exclude: never,
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 180_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
