/**
 * Holds all stores of circuits to their laws with 20 000 random sequences each,
 * other ones in each run. Run by `npm run laws`; `npm run laws -- 100000` draws as
 * many, and `TEST_SEED` draws those of an earlier run.
 */
import { spawnSync } from "node:child_process"
import { randomInt } from "node:crypto"
import { join, resolve } from "node:path"

const root = resolve(import.meta.dirname, "..")
const [runs = "20000", ...rest] = process.argv.slice(2)
const { TEST_SEED = String(randomInt(2 ** 32)) } = process.env
console.log(`TEST_SEED=${TEST_SEED}`)

const { status } = spawnSync(
  process.execPath,
  [
    join(root, "node_modules/vitest/vitest.mjs"),
    ...["run", "--typecheck.enabled=false", "--reporter=verbose", "--hookTimeout=60000"],
    ...[
      "test/store/CircuitStore.test.ts",
      "test/store/CircuitStoreTable",
      "test/store/CircuitStoreSql",
      "test/store/CircuitStoreRedis"
    ],
    ...rest
  ],
  { cwd: root, stdio: "inherit", env: { ...process.env, TEST_SEED, LAWS_RUNS: runs } }
)
process.exit(status ?? 1)
