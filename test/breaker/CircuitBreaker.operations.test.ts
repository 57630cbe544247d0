import { assert, describe } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import { both, due, make, opened, quick, refused } from "../support/circuits.ts"

describe("a circuit in an operator's hands", () => {
  both("held open, it refuses every call until it is released", () =>
    Effect.gen(function* () {
      const { breaker, state, succeed } = yield* make({ log: false })
      yield* CircuitBreaker.holdOpen(breaker, { reason: "maintenance", by: "ada" })
      yield* TestClock.adjust("365 days")
      const error = refused(yield* succeed)
      assert.deepStrictEqual(
        [error.state, error.since, error.openedAt, error.reason, error.by, error.retryAfter],
        ["HeldOpen", 0, 0, "maintenance", "ada", undefined]
      )
      assert.strictEqual(
        error.message,
        `Circuit "api" has been held open by ada since 1970-01-01T00:00:00.000Z: maintenance`
      )
      yield* CircuitBreaker.release(breaker)
      assert.strictEqual(yield* state, "Closed")
      assert.deepStrictEqual(yield* succeed, Exit.succeed("value"))
    })
  )

  both("held closed, it admits every call whatever the outcomes", () =>
    Effect.gen(function* () {
      const { breaker, fails, state, status, fail } = yield* opened()
      yield* CircuitBreaker.holdClosed(breaker)
      yield* fails(100)
      assert.strictEqual(yield* state, "HeldClosed")
      assert.strictEqual((yield* status).counts.failures, 101)
      yield* CircuitBreaker.release(breaker)
      assert.strictEqual(yield* state, "Closed")
      yield* fail
      assert.strictEqual(yield* state, "Open")
    })
  )

  both("goes from each of the five states to each that an operator can reach", () =>
    Effect.gen(function* () {
      const reach = {
        Closed: () => make(quick),
        Open: () => opened(),
        HalfOpen: () => Effect.tap(due(), ({ begin }) => begin),
        HeldOpen: () => Effect.tap(make(quick), ({ breaker }) => CircuitBreaker.holdOpen(breaker)),
        HeldClosed: () => Effect.tap(make(quick), ({ breaker }) => CircuitBreaker.holdClosed(breaker))
      }
      const operations = {
        holdOpen: [CircuitBreaker.holdOpen, () => "HeldOpen"],
        holdClosed: [CircuitBreaker.holdClosed, () => "HeldClosed"],
        release: [CircuitBreaker.release, (from: string) => (from.startsWith("Held") ? "Closed" : from)],
        reset: [CircuitBreaker.reset, () => "Closed"]
      } as const
      for (const [from, build] of Object.entries(reach)) {
        for (const [name, [operate, to]] of Object.entries(operations)) {
          const { breaker, state } = yield* build()
          assert.strictEqual(yield* state, from)
          yield* operate(breaker)
          assert.strictEqual(yield* state, to(from), `${name} from ${from}`)
        }
      }
    })
  )

  both("a hold ends by itself at its time, and the next call finds the circuit closed", () =>
    Effect.gen(function* () {
      for (const hold of [CircuitBreaker.holdOpen, CircuitBreaker.holdClosed]) {
        const { breaker, fail, state, status, succeed } = yield* make(quick)
        const from = yield* TestClock.testClockWith((clock) => clock.currentTimeMillis)
        yield* hold(breaker, { for: "1 minute" })
        const { state: held } = yield* status
        assert.isTrue("until" in held && held.until === from + 60_000)
        yield* TestClock.adjust(59_999)
        if (hold === CircuitBreaker.holdOpen) assert.strictEqual(refused(yield* succeed).retryAfterMillis, 1)
        else yield* fail
        assert.notStrictEqual(yield* state, "Closed")
        yield* TestClock.adjust(1)
        yield* succeed
        assert.strictEqual(yield* state, "Closed")
        yield* fail
        assert.strictEqual(yield* state, "Open")
      }
    })
  )

  both("a call from before the hold does not move it, nor the circuit after it", () =>
    Effect.gen(function* () {
      const { begin, breaker, state } = yield* make(quick)
      const [a, b] = [yield* begin, yield* begin]
      yield* CircuitBreaker.holdOpen(breaker)
      yield* a.end(Exit.fail("boom"))
      assert.strictEqual(yield* state, "HeldOpen")
      yield* CircuitBreaker.release(breaker)
      yield* b.end(Exit.fail("boom"))
      assert.strictEqual(yield* state, "Closed")
    })
  )

  both("reset closes an open circuit, with clean counts", () =>
    Effect.gen(function* () {
      const { breaker, fail, fails, state, succeed } = yield* make({ trip: TripPolicy.consecutive(2), log: false })
      yield* fails(2)
      assert.strictEqual(yield* state, "Open")
      yield* CircuitBreaker.reset(breaker)
      assert.deepStrictEqual(yield* succeed, Exit.succeed("value"))
      yield* fail
      yield* CircuitBreaker.reset(breaker)
      yield* fail
      assert.strictEqual(yield* state, "Closed")
    })
  )

  both("a probe from before the reset closes and opens nothing", () =>
    Effect.gen(function* () {
      const { begin, breaker, fail, state } = yield* due()
      const probe = yield* begin
      yield* CircuitBreaker.reset(breaker)
      yield* probe.end(Exit.fail("boom"))
      assert.strictEqual(yield* state, "Closed")
      yield* fail
      assert.strictEqual(yield* state, "Open")
    })
  )
})
