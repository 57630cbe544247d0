// nodeshift/opossum#385: of failures at one time, the second cancelled the timer that the first one had set, and the
// circuit stayed open for ever. Here an open circuit is not opened again, and there is no timer to cancel.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { TestClock } from "effect/testing"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import { assertRefused, make } from "../support/circuits.ts"

describe("opossum#385: a repeated open", () => {
  it.effect("failures at one time, more than it takes to trip, open once, and recovery is not put off", () =>
    Effect.gen(function* () {
      const { begin, breaker, state, succeed } = yield* make({
        trip: TripPolicy.consecutive(5),
        openFor: "10 seconds",
        log: false
      })
      const calls = yield* Effect.replicateEffect(begin, 20)
      for (const call of calls) {
        yield* call.end(Exit.fail("down"))
        yield* TestClock.adjust("100 millis")
      }
      const { counts } = yield* breaker.status
      assert.strictEqual(counts.changes, 1)
      assert.strictEqual(counts.failures, 20)
      // It opened with the fifth failure, 1.6 seconds ago.
      yield* TestClock.adjust("8399 millis")
      assertRefused(yield* succeed)
      yield* TestClock.adjust("1 milli")
      assert.deepStrictEqual(yield* succeed, Exit.succeed("value"))
      assert.strictEqual(yield* state, "Closed")
    })
  )

  it.effect("refused calls do not put recovery off either", () =>
    Effect.gen(function* () {
      const { fail, state, succeed } = yield* make({
        trip: TripPolicy.consecutive(1),
        openFor: "10 seconds",
        log: false
      })
      yield* fail
      for (let i = 0; i < 100; i++) {
        assertRefused(yield* fail)
        yield* TestClock.adjust("100 millis")
      }
      yield* succeed
      assert.strictEqual(yield* state, "Closed")
    })
  )
})
