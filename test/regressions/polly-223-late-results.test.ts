// App-vNext/Polly#223 (and svc-infra, empathy): results of calls that were admitted before the trip came back while the
// circuit was open or half-open, and opened it again, made it stay open for longer or closed it. Here an outcome carries
// the generation of its admission, and changes statistics only where that is over.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitState from "../../src/circuit/CircuitState.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import { assertRefused, make, quick } from "../support/circuits.ts"

const failed = Exit.fail("late")
const succeeded = Exit.succeed("late")

describe("Polly#223: late results", () => {
  for (const [name, exit] of [
    ["failure", failed],
    ["success", succeeded]
  ] as const) {
    it.effect(`a late ${name} does not make an open circuit stay open for longer, nor close it`, () =>
      Effect.gen(function* () {
        const { begin, breaker, fail, state, status, succeed } = yield* make(quick)
        const late = yield* begin
        yield* fail
        const before = (yield* status).state
        yield* TestClock.adjust("9 seconds")
        yield* late.end(exit)
        assert.strictEqual((yield* status).state, before)
        assertRefused(yield* succeed)
        // The open time is over when it was due, and statistics have counted the call.
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* succeed, Exit.succeed("value"))
        assert.strictEqual(yield* state, "Closed")
        const { counts } = yield* breaker.status
        assert.deepStrictEqual(
          [counts.calls, counts.successes, counts.failures],
          name === "success" ? [3, 2, 1] : [3, 1, 2]
        )
      })
    )

    it.effect(`a late ${name} neither opens a half-open circuit again nor closes it`, () =>
      Effect.gen(function* () {
        const { begin, fail, status, succeed } = yield* make(quick)
        const late = yield* begin
        yield* fail
        yield* TestClock.adjust("10 seconds")
        const probe = yield* begin
        const before = (yield* status).state
        assert.strictEqual(before._tag, "HalfOpen")
        yield* late.end(exit)
        assert.strictEqual((yield* status).state, before)
        // It gives no permit back that is not its own.
        assertRefused(yield* succeed)
        yield* probe.end(succeeded)
        assert.strictEqual((yield* status).state._tag, "Closed")
      })
    )
  }

  it.effect("late results neither open a circuit that has closed again, nor count in it", () =>
    Effect.gen(function* () {
      const { begin, fail, fails, state, succeed } = yield* make({ ...quick, trip: TripPolicy.consecutive(3) })
      const failing = yield* Effect.replicateEffect(begin, 10)
      const succeeding = yield* begin
      yield* fails(3)
      assert.strictEqual(yield* state, "Open")
      yield* TestClock.adjust("10 seconds")
      yield* succeed
      for (const call of failing) yield* call.end(failed)
      assert.strictEqual(yield* state, "Closed")
      yield* fails(2)
      assert.strictEqual(yield* state, "Closed")
      // Nor does a late success end the row of failures.
      yield* succeeding.end(succeeded)
      yield* fail
      assert.strictEqual(yield* state, "Open")
    })
  )

  it.effect("a probe of the last half-open time says nothing about this one", () =>
    Effect.gen(function* () {
      const { begin, status } = yield* make({ ...quick, halfOpen: { probes: 2 } })
      yield* (yield* begin).end(failed)
      yield* TestClock.adjust("10 seconds")
      const late = yield* begin
      yield* (yield* begin).end(failed)
      yield* TestClock.adjust("10 seconds")
      yield* begin
      const before = (yield* status).state
      assert.strictEqual(before._tag, "HalfOpen")
      yield* late.end(succeeded)
      assert.strictEqual((yield* status).state, before)
    })
  )

  it("the machine returns the identical state for whatever is late", () => {
    const config = { probes: 2, needed: 2, of: 2, leaseMillis: 1000, paceMillis: 100 }
    const states: ReadonlyArray<CircuitState.CircuitState> = [
      { ...CircuitState.initial, generation: 5 },
      { _tag: "Open", generation: 5, since: 0, openings: 1, openMillis: 10, reason: "" },
      {
        _tag: "HalfOpen",
        generation: 5,
        since: 0,
        openings: 1,
        openMillis: 10,
        reason: "",
        permits: 1,
        leases: [{ permit: 1, since: 0, until: 1000 }],
        successes: 1,
        failures: 0,
        ignoredAt: 0,
        notBefore: 0
      },
      { _tag: "HeldOpen", generation: 5, since: 0 },
      { _tag: "HeldClosed", generation: 5, since: 0 }
    ]
    for (const state of states) {
      for (const generation of [0, 3, 4]) {
        const trip = { _tag: "Trip", generation, openMillis: 99, reason: "late" } as const
        assert.strictEqual(CircuitState.transition(state, trip, 5, config)[0], state)
        for (const outcome of ["Success", "Failure", "Ignored"] as const) {
          const settle = { ...trip, _tag: "Settle", permit: 1, outcome } as const
          assert.strictEqual(CircuitState.transition(state, settle, 5, config)[0], state)
        }
      }
    }
  })
})
