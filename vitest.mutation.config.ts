import { defineConfig } from "vitest/config"

/** What Stryker runs for each mutant: the tests of the pure core, without the type tests. */
export default defineConfig({
  ssr: { resolve: { conditions: ["effect-resilience-source", "node", "import", "module", "default"] } },
  test: {
    setupFiles: ["test/support/seed.ts"],
    include: [
      "test/core/{Outcome,Tags}*.test.ts",
      "test/circuit/*.test.ts",
      "test/store/{CircuitView,CircuitReplica,CircuitQuorum,ClockOffset,PollTime,Reachability}*.test.ts"
    ]
  }
})
