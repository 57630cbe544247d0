// grelmicro 0.3: a forced state was left after so many errors. Here a hold is an operator's: no outcome moves it.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import { assertRefused, make, quick } from "../support/circuits.ts"

describe("grelmicro 0.3: forced states", () => {
  it.effect("held closed stays so through any number of failures", () =>
    Effect.gen(function* () {
      const { breaker, fails, state, status } = yield* make({ ...quick, trip: TripPolicy.consecutive(2) })
      yield* CircuitBreaker.holdClosed(breaker, { reason: "load test", by: "ops" })
      const held = (yield* status).state
      yield* fails(1000)
      yield* TestClock.adjust("1 day")
      yield* fails(1)
      assert.strictEqual((yield* status).state, held)
      // Nor do they count once it is released.
      yield* CircuitBreaker.release(breaker)
      yield* fails(1)
      assert.strictEqual(yield* state, "Closed")
      yield* fails(1)
      assert.strictEqual(yield* state, "Open")
    })
  )

  it.effect("held open stays so through the outcomes of calls that were under way", () =>
    Effect.gen(function* () {
      const { begin, breaker, status, succeed } = yield* make(quick)
      const calls = yield* Effect.replicateEffect(begin, 10)
      yield* CircuitBreaker.holdOpen(breaker)
      const held = (yield* status).state
      for (const [i, call] of calls.entries()) {
        yield* call.end(i % 2 === 0 ? Exit.succeed(i) : Exit.fail("late"))
      }
      yield* TestClock.adjust("1 day")
      assertRefused(yield* succeed)
      assert.strictEqual((yield* status).state, held)
    })
  )

  it.effect("a hold placed on a half-open circuit is not moved by its probe", () =>
    Effect.gen(function* () {
      const { begin, breaker, fail, status } = yield* make(quick)
      yield* fail
      yield* TestClock.adjust("10 seconds")
      const probe = yield* begin
      yield* CircuitBreaker.holdOpen(breaker)
      const held = (yield* status).state
      yield* probe.end(Exit.succeed("late"))
      assert.strictEqual((yield* status).state, held)
    })
  )
})
