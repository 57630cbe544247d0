/**
 * The program `resilience` where packages are missing that it can do without.
 */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { cli } from "./process.ts"

const preload = pathToFileURL(join(import.meta.dirname, "no-drivers.mjs")).href

for (const [missing, args, line] of [
  ["@effect/platform-node", ["--help"], "resilience: needs @effect/platform-node: npm install @effect/platform-node"],
  [
    "@effect/sql-pg",
    ["status", "--url", "postgres://u:hunter2@127.0.0.1:1/d"],
    "resilience: this store needs @effect/sql-pg: npm install @effect/sql-pg"
  ],
  [
    "redis",
    ["status", "--url", "redis://u:hunter2@127.0.0.1:1"],
    "resilience: this store needs @effect/platform-node and redis: npm install @effect/platform-node redis"
  ]
] as const) {
  it.live(`says what to install without ${missing}`, () =>
    Effect.gen(function* () {
      const ran = yield* Effect.promise(() => cli(args, { preload, env: { MISSING: missing } }))
      assert.deepStrictEqual(ran, { code: 1, out: "", err: line })
    })
  )
}

it.live("needs no driver for what connects to nothing", () =>
  Effect.gen(function* () {
    const env = { MISSING: "redis,@effect/sql-pg", RESILIENCE_DATABASE_URL: "postgres://h/d" }
    for (const args of [["--help"], ["setup", "--dry-run"], ["--completions", "zsh"]]) {
      assert.strictEqual((yield* Effect.promise(() => cli(args, { preload, env }))).code, 0)
    }
  })
)
