import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{contract,models,main,scripts,fixtures,bench,renderer}/**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    testTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
