// diegosouzapw/OmniRoute#13836: the only probe never settled, and every later call was refused for six days. Here a
// probe has a lease, and another one takes its place when that ends.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { TestClock } from "effect/testing"
import { assertRefused, due } from "../support/circuits.ts"

describe("OmniRoute#13836: a probe that never settles", () => {
  it.effect("loses its lease, and the next probe closes the circuit", () =>
    Effect.gen(function* () {
      const { begin, state, succeed } = yield* due({ halfOpen: { leaseFor: "30 seconds" } })
      yield* begin
      yield* TestClock.adjust("29999 millis")
      assertRefused(yield* succeed)
      yield* TestClock.adjust("1 milli")
      assert.deepStrictEqual(yield* succeed, Exit.succeed("value"))
      assert.strictEqual(yield* state, "Closed")
    })
  )

  it.effect("each of many that never settle is replaced, and never are there more than may be", () =>
    Effect.gen(function* () {
      const { begin, state, succeed } = yield* due({ halfOpen: { probes: 2, leaseFor: "30 seconds" } })
      for (let i = 0; i < 20; i++) {
        const calls = yield* Effect.replicateEffect(begin, 5)
        assert.lengthOf(
          calls.filter((call) => call.refused === undefined),
          2
        )
        yield* TestClock.adjust("30 seconds")
      }
      yield* succeed
      assert.strictEqual(yield* state, "Closed")
    })
  )
})
