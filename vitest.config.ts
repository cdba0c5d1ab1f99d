import { defineConfig } from 'vitest/config';

const source = { conditions: ['source'] };

export default defineConfig({
  test: {
    projects: [
      {
        resolve: source,
        ssr: { resolve: source },
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/property/**/*.test.ts', 'test/docs/**/*.test.ts'],
        },
      },
      {
        resolve: source,
        ssr: { resolve: source },
        test: {
          name: 'system',
          include: [
            'test/native/**/*.test.ts',
            'test/contract/**/*.test.ts',
            'test/e2e/**/*.test.ts',
            'test/fault/**/*.test.ts',
          ],
          pool: 'forks',
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
