import { defineConfig } from "vitest/config";
import type { Reporter } from "vitest/node";

/** Tells `scripts/test` the result in cargo's words. */
const tally: Reporter = {
  onTestRunEnd(modules, errors) {
    const count = { passed: 0, failed: errors.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      if (module.errors().length > 0) count.failed += 1;
      for (const test of module.children.allTests()) count[test.result().state] += 1;
    }
    const { passed, failed, skipped, pending } = count;
    console.log(`test result: ${failed === 0 ? "ok" : "FAILED"}. ${passed} passed; ${failed} failed; ${skipped + pending} ignored;`);
  },
};

export default defineConfig({
  test: {
    reporters: ["default", tally],
    projects: [
      { test: { name: "unit", include: ["test/**/*.test.ts"], testTimeout: 20_000 } },
      { test: { name: "browser", include: ["e2e/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 90_000, fileParallelism: false } },
    ],
  },
});
