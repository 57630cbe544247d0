import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Context, Data, Duration, Effect, Exit, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as CircuitStore from "../../src/store/CircuitStore.ts"
import * as Refusal from "../../src/core/Refusal.ts"
import * as Retry from "../../src/policies/Retry.ts"
import * as Timeout from "../../src/policies/Timeout.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import { assertRefused, both, caller, due, make, opened, quick, refusal, refused } from "../support/circuits.ts"

class Unavailable extends Data.TaggedError("Unavailable") {}

describe("a call through a closed circuit", () => {
  both("keeps every value as it is, also those that are falsy", () =>
    Effect.gen(function* () {
      const { exit, status } = yield* make()
      for (const value of [1, 0, "", null, undefined, false, Number.NaN, []]) {
        assert.deepStrictEqual(yield* exit(Effect.succeed(value)), Exit.succeed(value))
      }
      const { counts, inFlight, state } = yield* status
      assert.deepStrictEqual([counts.calls, counts.successes, inFlight, state._tag], [8, 8, 0, "Closed"])
    })
  )

  both("keeps typed errors, defects and interruption as they are", () =>
    Effect.gen(function* () {
      const { exit } = yield* make()
      for (const call of [
        Effect.fail("boom"),
        Effect.fail(undefined),
        Effect.die("defect"),
        Effect.interrupt,
        Effect.failCause(Cause.combine(Cause.fail("a"), Cause.die("b")))
      ]) {
        assert.deepStrictEqual(yield* exit(call), yield* Effect.exit(call))
      }
    })
  )

  both("keeps services, and runs the effect once", () =>
    Effect.gen(function* () {
      class Name extends Context.Service<Name, string>()("Name") {}
      const { breaker } = yield* make()
      let runs = 0
      const call = Effect.tap(Name, () => Effect.sync(() => runs++)).pipe(CircuitBreaker.protect(breaker))
      assert.strictEqual(yield* Effect.provideService(call, Name, "it"), "it")
      assert.strictEqual(runs, 1)
    })
  )

  both("wraps a sync function, an async function and an effect", () =>
    Effect.gen(function* () {
      const { exit, status } = yield* make()
      assert.deepStrictEqual(yield* exit(Effect.sync(() => 1)), Exit.succeed(1))
      assert.deepStrictEqual(yield* exit(Effect.tryPromise(() => Promise.resolve(2))), Exit.succeed(2))
      assert.isTrue(Exit.isFailure(yield* exit(Effect.tryPromise(() => Promise.reject(new Error("no"))))))
      const { counts } = yield* status
      assert.deepStrictEqual([counts.successes, counts.failures], [2, 1])
    })
  )

  it("stays synchronous where the effect is", () => {
    const breaker = CircuitBreaker.makeUnsafe("api")
    assert.strictEqual(Effect.runSync(CircuitBreaker.protect(Effect.succeed(1), breaker)), 1)
    assert.strictEqual(Effect.runSync(breaker.status).counts.successes, 1)
  })

  it("stays synchronous in every state: trip, refusal, probe, hold, release", () => {
    const breaker = CircuitBreaker.makeUnsafe("api", { ...quick, openFor: 1 })
    const at = { millis: 0 }
    const clock = { ...Clock.Clock.defaultValue(), currentTimeMillisUnsafe: () => at.millis }
    const run = <A, E>(effect: Effect.Effect<A, E>) =>
      Effect.runSyncExit(Effect.provideService(effect, Clock.Clock, clock))
    assert.deepStrictEqual(run(CircuitBreaker.protect(Effect.fail("boom"), breaker)), Exit.fail("boom"))
    assertRefused(run(CircuitBreaker.protect(Effect.void, breaker)))
    at.millis = 1
    assert.deepStrictEqual(run(CircuitBreaker.protect(Effect.succeed(1), breaker)), Exit.succeed(1))
    void run(CircuitBreaker.holdOpen(breaker))
    assertRefused(run(Effect.scoped(CircuitBreaker.permit(breaker))))
    void run(CircuitBreaker.release(breaker))
    assert.deepStrictEqual(run(CircuitBreaker.protect(Effect.succeed(2), breaker)), Exit.succeed(2))
  })

  both("can be made data-first and data-last, from a breaker or from its class", () =>
    Effect.gen(function* () {
      class Api extends CircuitBreaker.Service<Api>()("api", { log: false }) {}
      const counts = yield* Effect.gen(function* () {
        const breaker = yield* Api
        yield* CircuitBreaker.protect(Effect.void, breaker)
        yield* CircuitBreaker.protect(Effect.void, Api)
        yield* CircuitBreaker.protect(Effect.void, Api, {})
        yield* Effect.void.pipe(CircuitBreaker.protect(breaker))
        yield* Effect.void.pipe(CircuitBreaker.protect(Api))
        yield* Effect.void.pipe(CircuitBreaker.protect(Api, {}))
        // A class is an effect too, so it may be what is protected.
        assert.strictEqual(yield* CircuitBreaker.protect(Api, breaker), breaker)
        assert.strictEqual(yield* Api.pipe(CircuitBreaker.protect(Api)), breaker)
        return (yield* breaker.status).counts
      }).pipe(Effect.provide(Api.layer))
      assert.strictEqual(counts.successes, 8)
    })
  )

  both("nests: an inner breaker's refusal is ignored by the outer one", () =>
    Effect.gen(function* () {
      const outer = yield* CircuitBreaker.make("outer", quick)
      const inner = yield* CircuitBreaker.make("inner", quick)
      yield* caller(inner).fail
      const exit = yield* caller(outer).exit(CircuitBreaker.protect(Effect.void, inner))
      assert.strictEqual(refused(exit).breaker, "inner")
      const { counts, state } = yield* outer.status
      assert.deepStrictEqual([counts.ignored, counts.failures, state._tag], [1, 0, "Closed"])
    })
  )
})

describe("an open circuit", () => {
  both("fails fast: the effect does not run", () =>
    Effect.gen(function* () {
      const { exit } = yield* opened()
      let ran = false
      assertRefused(yield* exit(Effect.sync(() => (ran = true))))
      assert.isFalse(ran)
    })
  )

  both("says which breaker, in which state, since when, why and for how long", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("1 minute")
      const { exit, succeed } = yield* make({ trip: TripPolicy.consecutive(2), openFor: "10 seconds", log: false })
      yield* exit(Effect.fail(new Error("first")))
      yield* exit(Effect.fail(new Error("connection reset")))
      yield* TestClock.adjust("4 seconds")
      const error = refused(yield* succeed)
      assert.deepStrictEqual(
        { ...error },
        {
          _tag: "CircuitOpenError",
          breaker: "api",
          key: undefined,
          state: "Open",
          since: 60_000,
          reason: "2 consecutive failures",
          by: undefined,
          retryAfterMillis: 6_000
        }
      )
      assert.strictEqual(error.openedAt, 60_000)
      assert.deepStrictEqual(error.retryAfter, Duration.seconds(6))
      assert.strictEqual(
        error.message,
        `Circuit "api" has been open since 1970-01-01T00:01:00.000Z: 2 consecutive failures (next call in 6000 ms)`
      )
      assert.isTrue(Refusal.isRefusal(error))
    })
  )

  both("a refusal is caught by its tag, alone or with others", () =>
    Effect.gen(function* () {
      const { breaker } = yield* opened()
      const call = Effect.fail(new Unavailable()).pipe(CircuitBreaker.protect(breaker))
      const alone = yield* call.pipe(Effect.catchTag("CircuitOpenError", (error) => Effect.succeed(error.breaker)))
      const together = yield* call.pipe(
        Effect.catchTag(["CircuitOpenError", "Unavailable"], (error) => Effect.succeed(error._tag))
      )
      assert.deepStrictEqual([alone, together], ["api", "CircuitOpenError"])
    })
  )

  both("CircuitOpenError and the error of a timeout are caught apart or together", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make(quick)
      const call = Effect.never.pipe(Timeout.timeout("1 second"), CircuitBreaker.protect(breaker))
      const apart = call.pipe(
        Effect.catchTag("CircuitOpenError", () => Effect.succeed("refused")),
        Effect.catchTag("TimeoutExceededError", () => Effect.succeed("timed out"))
      )
      const together = call.pipe(
        Effect.catchTag(["CircuitOpenError", "TimeoutExceededError"], (error) => Effect.succeed(error._tag))
      )
      const first = yield* Effect.forkChild(apart, { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(
        [yield* Fiber.join(first), yield* apart, yield* together],
        ["timed out", "refused", "CircuitOpenError"]
      )
    })
  )

  both("lets the first call through after its time, and not a millisecond before", () =>
    Effect.gen(function* () {
      const { state, succeed } = yield* opened()
      yield* TestClock.adjust(9_999)
      assert.deepStrictEqual(refused(yield* succeed).retryAfterMillis, 1)
      yield* TestClock.adjust(1)
      // Nothing moves by itself, and reading changes nothing.
      assert.strictEqual(yield* state, "Open")
      assert.deepStrictEqual(yield* succeed, Exit.succeed("value"))
      assert.strictEqual(yield* state, "Closed")
    })
  )

  both("refused calls do not make it open for longer", () =>
    Effect.gen(function* () {
      const { fail, succeed } = yield* opened()
      for (let i = 0; i < 9; i++) {
        yield* TestClock.adjust("1 second")
        assertRefused(yield* fail)
      }
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* succeed, Exit.succeed("value"))
    })
  )

  both("runs orElse in place of a call that it refuses, and only then", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make(quick)
      const seen: Array<CircuitBreaker.CircuitOpenError> = []
      const call = (effect: Effect.Effect<string, string>) =>
        Effect.exit(
          CircuitBreaker.protect(effect, breaker, {
            orElse: (error) => {
              seen.push(error)
              return seen.length === 1 ? Effect.succeed(null) : Effect.fail("no fallback")
            }
          })
        )
      assert.deepStrictEqual(yield* call(Effect.fail("boom")), Exit.fail("boom"))
      assert.strictEqual(seen.length, 0)
      assert.deepStrictEqual(yield* call(Effect.succeed("value")), Exit.succeed(null))
      assert.deepStrictEqual(yield* call(Effect.succeed("value")), Exit.fail("no fallback"))
      assert.deepStrictEqual(
        seen.map((error) => error._tag),
        ["CircuitOpenError", "CircuitOpenError"]
      )
      assert.strictEqual((yield* breaker.status).counts.refused, 2)
    })
  )

  both("orElse may be interrupted", () =>
    Effect.gen(function* () {
      for (const probing of [false, true]) {
        const { breaker, begin } = yield* due()
        // A refusal that only the admission finds out takes another path.
        if (probing) yield* begin
        else yield* CircuitBreaker.holdOpen(breaker)
        const fiber = yield* Effect.forkChild(
          CircuitBreaker.protect(Effect.void, breaker, { orElse: () => Effect.never }),
          { startImmediately: true }
        )
        yield* Fiber.interrupt(fiber)
        assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
      }
    })
  )

  both("an orElse that throws is a defect", () =>
    Effect.gen(function* () {
      const { breaker } = yield* opened()
      const bug = new Error("bug")
      const exit = yield* Effect.exit(
        CircuitBreaker.protect(Effect.void, breaker, {
          orElse: () => {
            throw bug
          }
        })
      )
      assert.deepStrictEqual(exit, Exit.die(bug))
      assert.strictEqual((yield* breaker.status).inFlight, 0)
    })
  )

  both("retry around it does not retry its refusals", () =>
    Effect.gen(function* () {
      const { breaker } = yield* opened()
      const exit = yield* Effect.exit(
        Effect.void.pipe(CircuitBreaker.protect(breaker), Retry.retry({ maxAttempts: 5 }))
      )
      assertRefused(exit)
      assert.strictEqual((yield* breaker.status).counts.refused, 1)
    })
  )
})

describe("a dry run", () => {
  both("counts, moves and reports as usual, and refuses nothing", () =>
    Effect.gen(function* () {
      const changes: Array<string> = []
      const { breaker, fail, state, status, succeed } = yield* make({ ...quick, dryRun: true })
      breaker.listeners.add(({ from, to }) => changes.push(`${from._tag} > ${to._tag}`))
      yield* fail
      assert.strictEqual(yield* state, "Open")
      assert.deepStrictEqual(yield* succeed, Exit.succeed("value"))
      assert.deepStrictEqual(yield* fail, Exit.fail("boom"))
      const { counts, dryRun, inFlight, retryAfter } = yield* status
      assert.deepStrictEqual(
        [dryRun, inFlight, retryAfter, counts],
        [
          true,
          0,
          Duration.seconds(10),
          { calls: 3, successes: 1, failures: 2, ignored: 0, slow: 0, refused: 2, changes: 1 }
        ]
      )
      yield* TestClock.adjust("10 seconds")
      yield* succeed
      assert.strictEqual(yield* state, "Closed")
      assert.deepStrictEqual(changes, ["Closed > Open", "Open > HalfOpen", "HalfOpen > Closed"])
    })
  )

  both("a call that only the dry run admitted moves nothing", () =>
    Effect.gen(function* () {
      const { begin, state, status } = yield* due({ dryRun: true })
      const [probe, other] = [yield* begin, yield* begin]
      yield* other.end(Exit.succeed(1))
      assert.strictEqual(yield* state, "HalfOpen")
      yield* (yield* begin).end(Exit.fail("boom"))
      assert.strictEqual(yield* state, "HalfOpen")
      yield* probe.end(Exit.succeed(1))
      assert.strictEqual(yield* state, "Closed")
      assert.strictEqual((yield* status).inFlight, 0)
    })
  )

  both("a call that only the dry run admitted counts as slow where it is", () =>
    Effect.gen(function* () {
      const { begin, breaker, status } = yield* make({
        dryRun: true,
        trip: TripPolicy.slowCalls({ after: "1 second" }),
        log: false
      })
      yield* CircuitBreaker.holdOpen(breaker)
      const call = yield* begin
      yield* TestClock.adjust("1 second")
      yield* call.end(Exit.succeed(1))
      const { counts } = yield* status
      assert.deepStrictEqual([counts.slow, counts.successes, counts.refused], [1, 1, 1])
    })
  )

  both("an operator's hold refuses nothing either", () =>
    Effect.gen(function* () {
      const { breaker, succeed, status } = yield* make({ dryRun: true, log: false })
      yield* CircuitBreaker.holdOpen(breaker)
      assert.deepStrictEqual(yield* succeed, Exit.succeed("value"))
      assert.strictEqual((yield* status).counts.refused, 1)
    })
  )
})

describe("layers", () => {
  both("a class with its layer: every user gets the same breaker", () =>
    Effect.gen(function* () {
      class Payments extends CircuitBreaker.Service<Payments>()("payments", quick) {}
      const other = Effect.map(Payments, (breaker) => breaker)
      yield* Effect.gen(function* () {
        yield* Effect.fail("boom").pipe(CircuitBreaker.protect(Payments), Effect.ignore)
        assert.strictEqual(yield* Payments, yield* other.pipe(Effect.provide(Payments.layer)))
        const exit = yield* Effect.exit(Effect.void.pipe(CircuitBreaker.protect(Payments)))
        assert.strictEqual(refused(exit).breaker, "payments")
      }).pipe(Effect.provide(Payments.layer))
    })
  )

  it.effect("need no store, and the shared one takes the local store", () =>
    Effect.gen(function* () {
      class Payments extends CircuitBreaker.Service<Payments>()("payments", quick) {}
      for (const layer of [Payments.layer, Payments.layerShared.pipe(Layer.provide(CircuitStore.layerLocal))]) {
        const state = yield* Effect.gen(function* () {
          yield* Effect.exit(Effect.fail("boom").pipe(CircuitBreaker.protect(Payments)))
          return (yield* CircuitBreaker.status(Payments)).state._tag
        }).pipe(Effect.provide(layer))
        assert.strictEqual(state, "Open")
      }
    })
  )

  both("can be replaced by another breaker", () =>
    Effect.gen(function* () {
      class Payments extends CircuitBreaker.Service<Payments>()("payments") {}
      const fake = CircuitBreaker.makeUnsafe("fake", { log: false })
      yield* CircuitBreaker.holdOpen(fake)
      const exit = yield* Effect.exit(Effect.void.pipe(CircuitBreaker.protect(Payments))).pipe(
        Effect.provide(Layer.succeed(Payments, fake))
      )
      assert.strictEqual(refused(exit).breaker, "fake")
    })
  )

  it.effect("breaker returns what a class or a breaker stands for", () =>
    Effect.gen(function* () {
      class Payments extends CircuitBreaker.Service<Payments>()("payments") {}
      yield* Effect.gen(function* () {
        const payments = yield* CircuitBreaker.breaker(Payments)
        assert.strictEqual(payments, yield* Payments)
        assert.strictEqual(yield* CircuitBreaker.breaker(payments), payments)
      }).pipe(Effect.provide(Payments.layer))
    })
  )

  it("know their name and their options", () => {
    class Payments extends CircuitBreaker.Service<Payments>()("payments", { openFor: "5 seconds" }) {}
    assert.strictEqual(Payments.key, "effect-resilience/CircuitBreaker/payments")
    assert.strictEqual(CircuitBreaker.describe(Payments)["openFor"], 5_000)
    assert.isTrue(CircuitBreaker.isSource(Payments))
    assert.isTrue(CircuitBreaker.isSource(CircuitBreaker.makeUnsafe("api")))
    for (const u of [undefined, null, {}, "payments", Effect.void, () => {}]) assert.isFalse(CircuitBreaker.isSource(u))
  })
})

describe("makeUnsafe", () => {
  it.effect("makes a breaker that follows the clock of its callers", () =>
    Effect.gen(function* () {
      const breaker = CircuitBreaker.makeUnsafe("api", quick)
      const { fail, status, succeed } = caller(breaker)
      yield* TestClock.adjust(5)
      yield* fail
      assert.strictEqual((yield* status).state._tag === "Open" && (yield* status).lastFailure?.at, 5)
      yield* TestClock.adjust("10 seconds")
      assert.isUndefined(refusal(yield* succeed))
    })
  )
})
