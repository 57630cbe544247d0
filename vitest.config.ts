import { defineConfig } from "vitest/config"

export default defineConfig({
  ssr: { resolve: { conditions: ["effect-resilience-source", "node", "import", "module", "default"] } },
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: ["test/support/seed.ts"],
    // Half of the tests wait for processes of their own.
    maxWorkers: 2,
    // Unit tests do not sleep, but ten thousand fibers take their time on a machine that is busy.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // The summary of the tests is the end of the output, without hints on their speed after it.
    experimental: { diagnostics: false },
    typecheck: {
      enabled: true,
      include: ["test/**/*.test-d.ts"],
      tsconfig: "tsconfig.json",
      checker: "node_modules/@typescript/native/bin/tsc",
      // `npm run check` reports the errors of all other files.
      ignoreSourceErrors: true
    }
  }
})
