import { assert, describe } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import { both, due, make, opened, quick, refused } from "../support/circuits.ts"

describe("a clock that is set back", () => {
  const setBack = TestClock.setTime(0)

  both("leaves no circuit open for as long again", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("1 hour")
      const { state, succeed } = yield* opened()
      yield* setBack
      assert.deepStrictEqual(yield* succeed, Exit.succeed("value"))
      assert.strictEqual(yield* state, "Closed")
    })
  )

  both("leaves no probe its permit for as long again, nor the pace", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("1 hour")
      const { begin, state, succeed } = yield* due()
      yield* begin
      assert.isDefined((yield* begin).refused)
      yield* setBack
      const probe = yield* begin
      assert.isUndefined(probe.refused)
      yield* TestClock.adjust("1 hour")
      yield* probe.interrupt
      yield* setBack
      yield* succeed
      assert.strictEqual(yield* state, "Closed")
    })
  )

  both("leaves windows over time working", () =>
    Effect.gen(function* () {
      const { fails, state } = yield* make({ trip: TripPolicy.rate({ minimumCalls: 3 }), log: false })
      yield* TestClock.adjust("1 hour")
      yield* fails(2)
      yield* setBack
      yield* fails(2)
      assert.strictEqual(yield* state, "Closed")
      yield* fails(1)
      assert.strictEqual(yield* state, "Open")
    })
  )

  both("keeps an operator's hold to its time", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("1 hour")
      const { breaker, succeed } = yield* make(quick)
      yield* CircuitBreaker.holdOpen(breaker, { for: "1 minute" })
      yield* setBack
      assert.strictEqual(refused(yield* succeed).retryAfterMillis, 3_660_000)
      yield* TestClock.adjust(3_660_000)
      assert.deepStrictEqual(yield* succeed, Exit.succeed("value"))
    })
  )
})
