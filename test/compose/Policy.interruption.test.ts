import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Backoff from "../../src/policies/Backoff.ts"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as Policy from "../../src/compose/Policy.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import { makeBreaker, fails, settle, now } from "./calls.ts"

describe("interruption of the caller", () => {
  const full = (breaker: CircuitBreaker.CircuitBreaker) =>
    Policy.make({
      fallback: () => Effect.die("the fallback ran"),
      deadline: "1 minute",
      retry: { maxAttempts: 10, backoff: Backoff.constant("5 seconds") },
      breaker,
      attemptTimeout: "10 seconds"
    })

  it.effect("interrupts the attempt, and awaits its finalizers", () =>
    Effect.gen(function* () {
      const breaker = yield* makeBreaker()
      const events: Array<string> = []
      const call = Effect.onInterrupt(Effect.never, () =>
        Effect.andThen(
          Effect.sleep("3 seconds"),
          Effect.sync(() => events.push("finalized"))
        )
      )
      const fiber = yield* Effect.forkChild(call.pipe(full(breaker)), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* breaker.status).inFlight, 1)
      const interruption = yield* Effect.forkChild(
        Effect.andThen(
          Fiber.interrupt(fiber),
          Effect.sync(() => events.push("interrupted"))
        ),
        { startImmediately: true }
      )
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(events, [])
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(interruption)
      assert.deepStrictEqual(events, ["finalized", "interrupted"])
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
      const { counts, inFlight } = yield* breaker.status
      assert.deepStrictEqual([inFlight, counts.ignored, counts.failures], [0, 1, 0])
    })
  )

  it.effect("interrupts a retry that waits", () =>
    Effect.gen(function* () {
      const breaker = yield* makeBreaker()
      const { call, calls } = fails()
      const fiber = yield* Effect.forkChild(call.pipe(full(breaker)), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(calls(), 1)
      assert.strictEqual((yield* breaker.status).inFlight, 0)
    })
  )

  it.effect("interrupts a fallback that runs", () =>
    Effect.gen(function* () {
      let interrupted = 0
      const policy = Policy.make({
        fallback: () =>
          Effect.onInterrupt(Effect.never, () =>
            Effect.sync(() => {
              interrupted++
            })
          ),
        retry: { maxAttempts: 1 }
      })
      const fiber = yield* Effect.forkChild(fails().call.pipe(policy), { startImmediately: true })
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(interrupted, 1)
    })
  )

  it.effect("gives the permit of a probe back", () =>
    Effect.gen(function* () {
      const breaker = yield* makeBreaker({ trip: TripPolicy.consecutive(1), openFor: "5 seconds" })
      yield* Effect.exit(Effect.fail("x").pipe(Policy.make({ breaker })))
      yield* TestClock.adjust("5 seconds")
      const probe = yield* Effect.forkChild(Effect.never.pipe(full(breaker)), { startImmediately: true })
      assert.deepInclude((yield* breaker.status).state, { _tag: "HalfOpen" })
      yield* Fiber.interrupt(probe)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Effect.succeed("back").pipe(full(breaker)), "back")
      assert.strictEqual((yield* breaker.status).state._tag, "Closed")
    })
  )
})

describe("deadline and finalizers", () => {
  it.effect("the finalizers of the attempt end before the fallback answers", () =>
    Effect.gen(function* () {
      const events: Array<string> = []
      const call = Effect.onInterrupt(Effect.never, () =>
        Effect.andThen(
          Effect.sleep("2 seconds"),
          Effect.sync(() => events.push("finalized"))
        )
      )
      const policy = Policy.make({
        fallback: () => Effect.sync(() => events.push("answered")),
        deadline: "3 seconds",
        retry: {}
      })
      yield* settle(call.pipe(policy))
      assert.deepStrictEqual(events, ["finalized", "answered"])
      assert.strictEqual(yield* now, 5000)
    })
  )
})
