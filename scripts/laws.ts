/**
 * Holds all stores of circuits to their laws with 20 000 random sequences each.
 * Run by `npm run laws`; `npm run laws -- 100000` draws as many.
 */
import { spawnSync } from "node:child_process"
import { join, resolve } from "node:path"

const root = resolve(import.meta.dirname, "..")
const [runs = "20000", ...rest] = process.argv.slice(2)

const { status } = spawnSync(
  process.execPath,
  [
    join(root, "node_modules/vitest/vitest.mjs"),
    ...["run", "--typecheck.enabled=false", "--reporter=verbose", "--hookTimeout=60000"],
    ...["test/CircuitStore.test.ts", "test/CircuitStoreShared", "test/CircuitStoreSql", "test/CircuitStoreRedis"],
    ...rest
  ],
  { cwd: root, stdio: "inherit", env: { ...process.env, LAWS_RUNS: runs } }
)
process.exit(status ?? 1)
