import { assert, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"

interface Bytes {
  readonly ours: number
  readonly effect: number
}

it("a breaker adds at most 0.40 of the bytes that the one of Effect adds to an app", () => {
  const args = ["--conditions=effect-resilience-source", "bench/bundle.ts"]
  const { effect, ours } = JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as Bytes
  assert.isAbove(ours, 0)
  assert.isAtMost(ours, 0.4 * effect)
})
