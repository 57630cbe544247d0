// resilient-circuit SPEC 2b: every call read the shared state, so that an outage, when calls end at once and come again,
// was a storm of connections. Here a breaker asks its store for a change of state only, and one instance has one
// question under way.
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as CircuitState from "../../src/circuit/CircuitState.ts"
import * as CircuitStore from "../../src/store/CircuitStore.ts"
import { both, caller, quick } from "../support/circuits.ts"
import { slowStore } from "../support/slow-store.ts"

describe("resilient-circuit SPEC 2b: a store that is asked on every call", () => {
  both("an outage of 30 seconds costs the store one question for each change, whatever the number of calls", () =>
    Effect.gen(function* () {
      const { asked, store } = slowStore(Effect.sleep(50), CircuitState.initial)
      const breaker = yield* Effect.provideService(
        CircuitBreaker.makeShared("api", quick),
        CircuitStore.CircuitStore,
        store
      )
      const { fail, status, succeed } = caller(breaker)
      let asksOf = 0
      const costs = Effect.sync(() => {
        const cost = asked.length - asksOf
        asksOf = asked.length
        return cost
      })
      /** 100 calls a millisecond come at once, each millisecond of so many. */
      const storm = (call: Effect.Effect<unknown>, millis: number) =>
        Effect.forEach(
          Array.from({ length: millis }),
          () =>
            Effect.andThen(
              Effect.forEach(Array.from({ length: 100 }), () => Effect.forkChild(call, { startImmediately: true })),
              TestClock.adjust(1)
            ),
          { discard: true }
        )

      yield* storm(succeed, 50)
      assert.strictEqual(yield* costs, 0)

      // The trip, and then nothing while it is open.
      yield* storm(fail, 100)
      assert.strictEqual(yield* costs, 1)
      assert.strictEqual((yield* status).state._tag, "Open")
      for (let i = 0; i < 2; i++) {
        yield* TestClock.adjust("9800 millis")
        yield* storm(fail, 60)
        // A probe is asked for, and its failure told.
        yield* TestClock.adjust(200)
        yield* storm(fail, 120)
        assert.strictEqual(yield* costs, 2)
      }

      yield* TestClock.adjust("10 seconds")
      yield* storm(succeed, 200)
      assert.strictEqual(yield* costs, 2)
      assert.strictEqual((yield* status).state._tag, "Closed")
      yield* storm(succeed, 50)
      assert.strictEqual(yield* costs, 0)
    })
  )
})
