/**
 * How the tests run: unit tests beside their files, everything that crosses folders under test/.
 *
 * Two forked processes, one for each core of the smallest machine that runs them all; forks and not threads, because
 * tests read their own /proc/self and load native addons. Some tests of test/live start workloads and read gigabytes
 * of page tables, hence the generous limits of time. What loops without end is found by scripts/stalled-test-reporter.ts.
 */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    exclude: ["**/node_modules/**", "dist/**", "build/**", "**/fixtures/**"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: "forks",
    maxWorkers: 2,
    reporters: ["default", "./scripts/stalled-test-reporter.ts", "./scripts/test-summary-reporter.ts"],
  },
});
