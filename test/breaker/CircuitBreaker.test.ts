import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Context, Data, Duration, Effect, Exit, Fiber, Layer, Schedule } from "effect"
import { TestClock } from "effect/testing"
import * as Backoff from "../../src/policies/Backoff.ts"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as CircuitStore from "../../src/store/CircuitStore.ts"
import * as Outcome from "../../src/core/Outcome.ts"
import * as Refusal from "../../src/core/Refusal.ts"
import * as Retry from "../../src/policies/Retry.ts"
import * as Timeout from "../../src/policies/Timeout.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import { assertRefused, both, caller, due, make, opened, quick, refusal, refused } from "../support/circuits.ts"

class NotFound extends Data.TaggedError("NotFound")<{ readonly id: number }> {}
class Unavailable extends Data.TaggedError("Unavailable") {}
class Busy extends Data.TaggedError("Busy")<{ readonly retryAfter: unknown }> {}

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

  both("P1 wraps a sync function, an async function and an effect", () =>
    Effect.gen(function* () {
      const { exit, status } = yield* make()
      assert.deepStrictEqual(yield* exit(Effect.sync(() => 1)), Exit.succeed(1))
      assert.deepStrictEqual(yield* exit(Effect.tryPromise(() => Promise.resolve(2))), Exit.succeed(2))
      assert.isTrue(Exit.isFailure(yield* exit(Effect.tryPromise(() => Promise.reject(new Error("no"))))))
      const { counts } = yield* status
      assert.deepStrictEqual([counts.successes, counts.failures], [2, 1])
    })
  )

  it("P1 stays synchronous where the effect is", () => {
    const breaker = CircuitBreaker.makeUnsafe("api")
    assert.strictEqual(Effect.runSync(CircuitBreaker.protect(Effect.succeed(1), breaker)), 1)
    assert.strictEqual(Effect.runSync(breaker.status).counts.successes, 1)
  })

  it("P1 stays synchronous in every state: trip, refusal, probe, hold, release", () => {
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

describe("trip policies", () => {
  type Step =
    | "ok"
    | "fail"
    | "ignored"
    | "defect"
    | `wait ${number}`
    | `slow ${number}`
    | `slow fail ${number}`
    | `slow interrupt ${number}`
  const scenarios: ReadonlyArray<{
    readonly name: string
    readonly trip?: TripPolicy.TripPolicy
    readonly steps: ReadonlyArray<Step>
    /** The reason, where the last step opens the circuit. */
    readonly opens: string | undefined
  }> = [
    { name: "P2 the default is five failures in a row", steps: ["fail", "fail", "fail", "fail"], opens: undefined },
    {
      name: "P2 the default is five failures in a row, the fifth opens",
      steps: ["fail", "fail", "fail", "fail", "fail"],
      opens: "5 consecutive failures"
    },
    {
      name: "P1 consecutive: a success begins the count again",
      trip: TripPolicy.consecutive(2),
      steps: ["fail", "ok", "fail"],
      opens: undefined
    },
    {
      name: "P1 consecutive: an ignored call does not",
      trip: TripPolicy.consecutive(2),
      steps: ["fail", "ignored", "fail"],
      opens: "2 consecutive failures"
    },
    {
      name: "consecutive: a defect is a failure",
      trip: TripPolicy.consecutive(2),
      steps: ["fail", "defect"],
      opens: "2 consecutive failures"
    },
    {
      name: "P4 failure limit k of n: 3 of 10 opens at the third failure",
      trip: TripPolicy.failures({ count: 3, of: 10 }),
      steps: ["fail", "ok", "fail", "ok", "ok", "fail"],
      opens: "3 failures in the last 6 calls"
    },
    {
      name: "P4 failure limit k of n: not at the second",
      trip: TripPolicy.failures({ count: 3, of: 10 }),
      steps: ["fail", "fail", "ok"],
      opens: undefined
    },
    {
      name: "P4 failure limit k of n: a failure n calls ago is forgotten",
      trip: TripPolicy.failures({ count: 2, of: 3 }),
      steps: ["fail", "ok", "ok", "fail"],
      opens: undefined
    },
    {
      name: "P4 failure limit k of n: an ignored call is none of the n",
      trip: TripPolicy.failures({ count: 2, of: 3 }),
      steps: ["fail", "ignored", "ok", "ignored", "fail"],
      opens: "2 failures in the last 3 calls"
    },
    {
      name: "failures: only a full window where minimumCalls says so",
      trip: TripPolicy.failures({ count: 2, of: 4, minimumCalls: 4 }),
      steps: ["fail", "fail", "ok"],
      opens: undefined
    },
    {
      name: "failures: a success may fill the window and open",
      trip: TripPolicy.failures({ count: 2, of: 4, minimumCalls: 4 }),
      steps: ["fail", "fail", "ok", "ok"],
      opens: "2 failures in the last 4 calls"
    },
    {
      name: "rate: at the ratio, with the minimum of calls",
      trip: TripPolicy.rate({ ratio: 0.5, within: "10 seconds", minimumCalls: 4 }),
      steps: ["ok", "fail", "ok", "fail"],
      opens: "2 of 4 calls in 10000 ms failed"
    },
    {
      name: "rate: not below the minimum of calls",
      trip: TripPolicy.rate({ ratio: 0.5, within: "10 seconds", minimumCalls: 4 }),
      steps: ["fail", "fail", "fail"],
      opens: undefined
    },
    {
      name: "rate: not below the ratio",
      trip: TripPolicy.rate({ ratio: 0.5, within: "10 seconds", minimumCalls: 4 }),
      steps: ["ok", "ok", "ok", "fail", "fail"],
      opens: undefined
    },
    {
      name: "rate: old calls leave the window",
      trip: TripPolicy.rate({ ratio: 1, within: "10 seconds", minimumCalls: 2 }),
      steps: ["fail", "wait 10000", "fail"],
      opens: undefined
    },
    {
      name: "rate: calls of the last `within` are in it",
      trip: TripPolicy.rate({ ratio: 1, within: "10 seconds", minimumCalls: 2 }),
      steps: ["fail", "wait 8999", "fail"],
      opens: "2 of 2 calls in 10000 ms failed"
    },
    {
      name: "slow calls: as slow as `after`",
      trip: TripPolicy.slowCalls({ after: "1 second", ratio: 1, minimumCalls: 2 }),
      steps: ["slow 1000", "slow 1000"],
      opens: "2 of 2 calls in 60000 ms slow"
    },
    {
      name: "slow calls: not a millisecond less",
      trip: TripPolicy.slowCalls({ after: "1 second", ratio: 1, minimumCalls: 2 }),
      steps: ["slow 1000", "slow 999"],
      opens: undefined
    },
    {
      name: "slow calls: also those that fail",
      trip: TripPolicy.slowCalls({ after: "1 second", ratio: 1, minimumCalls: 2 }),
      steps: ["slow fail 1000", "slow 1000"],
      opens: "2 of 2 calls in 60000 ms slow"
    },
    {
      name: "slow calls: also those that are interrupted, or a timeout outside would hide a hang",
      trip: TripPolicy.slowCalls({ after: "1 second", ratio: 1, minimumCalls: 2 }),
      steps: ["slow interrupt 1000", "slow interrupt 1000"],
      opens: "2 of 2 calls in 60000 ms slow"
    },
    {
      name: "slow calls: a call that is interrupted earlier counts for nothing",
      trip: TripPolicy.slowCalls({ after: "1 second", ratio: 1, minimumCalls: 2 }),
      steps: ["slow interrupt 1000", "slow interrupt 999"],
      opens: undefined
    },
    {
      name: "slow calls: quick failures are none",
      trip: TripPolicy.slowCalls({ after: "1 second", ratio: 0.1, minimumCalls: 1 }),
      steps: ["fail", "fail"],
      opens: undefined
    },
    {
      name: "any: the first of two",
      trip: TripPolicy.any(TripPolicy.consecutive(2), TripPolicy.failures({ count: 3, of: 10 })),
      steps: ["fail", "fail"],
      opens: "2 consecutive failures"
    },
    {
      name: "any: the second of two",
      trip: TripPolicy.any(TripPolicy.consecutive(2), TripPolicy.failures({ count: 3, of: 10 })),
      steps: ["fail", "ok", "fail", "ok", "fail"],
      opens: "3 failures in the last 5 calls"
    },
    {
      name: "any: neither of two",
      trip: TripPolicy.any(TripPolicy.consecutive(3), TripPolicy.slowCalls({ after: 1000, ratio: 1, minimumCalls: 2 })),
      steps: ["fail", "slow 1000", "fail", "fail"],
      opens: undefined
    },
    {
      name: "any: slow calls beside failures",
      trip: TripPolicy.any(TripPolicy.consecutive(3), TripPolicy.slowCalls({ after: 1000, ratio: 1, minimumCalls: 2 })),
      steps: ["slow 1000", "slow 2000"],
      opens: "2 of 2 calls in 60000 ms slow"
    }
  ]
  for (const { name, opens, steps, trip } of scenarios) {
    both(name, () =>
      Effect.gen(function* () {
        const { begin, die, fail, state, status, succeed, exit } = yield* make({
          trip,
          ignore: (error) => error === "ignored",
          log: false
        })
        for (const [i, step] of steps.entries()) {
          assert.strictEqual(yield* state, "Closed", `open before step ${i}`)
          const millis = Number(/\d+$/.exec(step)?.[0])
          if (step === "ok") yield* succeed
          else if (step === "fail") yield* fail
          else if (step === "ignored") yield* exit(Effect.fail("ignored"))
          else if (step === "defect") yield* die
          else if (step.startsWith("wait")) yield* TestClock.adjust(millis)
          else {
            const call = yield* begin
            yield* TestClock.adjust(millis)
            if (step.startsWith("slow interrupt")) yield* call.interrupt
            else yield* call.end(step.startsWith("slow fail") ? Exit.fail("boom") : Exit.succeed(1))
          }
        }
        const { state: last } = yield* status
        const end = steps.at(-1)
        const cause = end === "defect" ? "defect" : end?.includes("fail") ? "boom" : undefined
        assert.strictEqual(
          last._tag === "Open" ? last.reason : undefined,
          opens === undefined || cause === undefined ? opens : `${opens}, the last with ${cause}`
        )
      })
    )
  }

  both("count calls in the order in which they end", () =>
    Effect.gen(function* () {
      const { begin, state } = yield* make({ trip: TripPolicy.consecutive(2), log: false })
      const [a, b, c] = [yield* begin, yield* begin, yield* begin]
      yield* b.end(Exit.fail("boom"))
      yield* c.end(Exit.succeed(1))
      yield* a.end(Exit.fail("boom"))
      assert.strictEqual(yield* state, "Closed")
    })
  )

  both("the window is empty after the circuit closed again", () =>
    Effect.gen(function* () {
      const { fail, fails, state, succeed } = yield* make({
        trip: TripPolicy.failures({ count: 2, of: 10 }),
        openFor: "10 seconds",
        log: false
      })
      yield* fails(2)
      yield* TestClock.adjust("10 seconds")
      yield* succeed
      yield* fail
      assert.strictEqual(yield* state, "Closed")
      yield* fail
      assert.strictEqual(yield* state, "Open")
    })
  )

  both("slow calls are counted where the policy looks at them, and 0 where it does not", () =>
    Effect.gen(function* () {
      for (const [trip, slow] of [
        [TripPolicy.slowCalls({ after: 1000, minimumCalls: 100 }), 1],
        [TripPolicy.any(TripPolicy.consecutive(9), TripPolicy.slowCalls({ after: 1000, minimumCalls: 100 })), 1],
        [TripPolicy.rate(), 0],
        [TripPolicy.consecutive(9), 0]
      ] as const) {
        const { begin, status } = caller(CircuitBreaker.makeUnsafe("api", { trip }))
        const calls = [yield* begin, yield* begin]
        yield* TestClock.adjust(999)
        yield* calls[0]!.end(Exit.succeed(1)) // there are two
        yield* TestClock.adjust(1)
        yield* calls[1]!.end(Exit.succeed(1)) // there are two
        assert.strictEqual((yield* status).counts.slow, slow)
      }
    })
  )
})

describe("what counts as what", () => {
  const rows: ReadonlyArray<[string, Outcome.Options, Exit.Exit<unknown, unknown>, Outcome.Outcome["_tag"]]> = [
    ["a value is a success", {}, Exit.succeed(0), "Success"],
    ["a typed error is a failure", {}, Exit.fail("e"), "Failure"],
    ["a defect is a failure", {}, Exit.die("d"), "Failure"],
    ["pure interruption is ignored", {}, Exit.interrupt(1), "Ignored"],
    [
      "interruption beside a failure is a failure",
      {},
      Exit.failCause(Cause.combine(Cause.interrupt(1), Cause.fail("e"))),
      "Failure"
    ],
    ["P3 failureIf: what it matches is a failure", { failureIf: (e) => e === "e" }, Exit.fail("e"), "Failure"],
    ["P3 failureIf: what it does not match is ignored", { failureIf: (e) => e === "x" }, Exit.fail("e"), "Ignored"],
    ["failureIf: a defect stays a failure", { failureIf: () => false }, Exit.die("d"), "Failure"],
    ["P1 ignore: what it matches is ignored", { ignore: (e) => e === "e" }, Exit.fail("e"), "Ignored"],
    ["P1 ignore: what it does not match is a failure", { ignore: (e) => e === "x" }, Exit.fail("e"), "Failure"],
    ["ignore by tag", { ignore: "NotFound" }, Exit.fail(new NotFound({ id: 1 })), "Ignored"],
    ["ignore by another tag", { ignore: "NotFound" }, Exit.fail(new Unavailable()), "Failure"],
    ["ignore by several tags", { ignore: ["NotFound", "Unavailable"] }, Exit.fail(new Unavailable()), "Ignored"],
    ["failureIf by tag", { failureIf: "Unavailable" }, Exit.fail(new Unavailable()), "Failure"],
    ["failureIf by another tag", { failureIf: ["Unavailable"] }, Exit.fail(new NotFound({ id: 1 })), "Ignored"],
    ["ignore wins over failureIf", { failureIf: () => true, ignore: () => true }, Exit.fail("e"), "Ignored"],
    [
      "P4 should_handle: classify decides about a value",
      { classify: () => Outcome.failure() },
      Exit.succeed(1),
      "Failure"
    ],
    [
      "P4 should_handle: classify decides about an error",
      { classify: () => Outcome.success },
      Exit.fail("e"),
      "Success"
    ],
    ["classify decides about interruption", { classify: () => Outcome.failure() }, Exit.interrupt(1), "Failure"]
  ]
  const tagOf = (counts: CircuitBreaker.Status["counts"]) =>
    [counts.successes, counts.failures, counts.ignored].join() === "1,0,0"
      ? "Success"
      : [counts.successes, counts.failures, counts.ignored].join() === "0,1,0"
        ? "Failure"
        : [counts.successes, counts.failures, counts.ignored].join() === "0,0,1"
          ? "Ignored"
          : "not one call"
  for (const [name, options, exit, expected] of rows) {
    both(`${name}, for the breaker`, () =>
      Effect.gen(function* () {
        const { breaker } = yield* make({ ...options, log: false })
        yield* caller(breaker).exit(exit)
        const { counts, inFlight, recent } = yield* breaker.status
        assert.deepStrictEqual([tagOf(counts), recent, inFlight], [expected, [expected], 0])
      })
    )
    both(`${name}, for one call`, () =>
      Effect.gen(function* () {
        // The options of the call replace those of the breaker, which would say something else.
        const { breaker } = yield* make({
          classify: expected === "Success" ? () => Outcome.failure() : () => Outcome.success,
          log: false
        })
        const protect = Object.keys(options).length === 0 ? { classify: Outcome.classify } : options
        yield* caller(breaker, protect).exit(exit)
        const { counts, inFlight, recent } = yield* breaker.status
        assert.deepStrictEqual([tagOf(counts), recent, inFlight], [expected, [expected], 0])
      })
    )
  }

  both("a value may be a failure, and then there is no cause to tell of", () =>
    Effect.gen(function* () {
      const { succeed, status } = yield* make({ ...quick, classify: () => Outcome.failure() })
      yield* succeed
      const { lastFailure, state } = yield* status
      assert.deepStrictEqual(lastFailure, { at: 0, cause: Cause.empty })
      assert.strictEqual(state._tag === "Open" && state.reason, "1 consecutive failure")
      yield* TestClock.adjust("10 seconds")
      yield* succeed
      const { state: again } = yield* status
      assert.strictEqual(again._tag === "Open" && again.reason, "a failed probe")
    })
  )

  both("options of a call are for that call", () =>
    Effect.gen(function* () {
      const { breaker, fail } = yield* make({ log: false })
      yield* caller(breaker, { ignore: () => true }).fail
      yield* fail
      assert.deepStrictEqual((yield* breaker.status).recent, ["Ignored", "Failure"])
    })
  )

  both("a classify that throws is the caller's defect and counts as ignored, in every state", () =>
    Effect.gen(function* () {
      const bug = new Error("bug")
      for (const where of ["breaker", "call"] as const) {
        const classify = () => {
          throw bug
        }
        const breaker = yield* CircuitBreaker.make(where, { ...quick, ...(where === "breaker" ? { classify } : {}) })
        const { exit } = caller(breaker, where === "call" ? { classify } : {})
        const open = caller(breaker, { classify: () => Outcome.failure() })
        for (const state of ["Closed", "HalfOpen", "HeldClosed"] as const) {
          if (state === "HalfOpen") {
            yield* open.fail
            yield* TestClock.adjust("10 seconds")
          } else if (state === "HeldClosed") yield* CircuitBreaker.holdClosed(breaker)
          const before = (yield* breaker.status).counts.ignored
          const onValue = yield* exit(Effect.succeed(1))
          assert.deepStrictEqual(onValue, Exit.die(bug))
          const { counts, inFlight, state: after } = yield* breaker.status
          assert.deepStrictEqual([counts.ignored - before, inFlight, after._tag], [1, 0, state])
          if (after._tag === "HalfOpen") assert.deepStrictEqual(after.leases, [])
          yield* TestClock.adjust("1 second")
          const onError = yield* exit(Effect.fail("boom"))
          // Effect turns an error into a defect where a finalizer dies.
          assert.deepStrictEqual(onError, Exit.failCause(Cause.combine(Cause.die("boom"), Cause.die(bug))))
          assert.strictEqual((yield* breaker.status).inFlight, 0)
        }
      }
    })
  )

  both("a classify that returns no outcome is the caller's defect and counts as ignored", () =>
    Effect.gen(function* () {
      for (const value of [undefined, null, true, "Failure", {}, { _tag: "Nonsense" }]) {
        const { breaker, succeed } = yield* make({ classify: () => value as unknown as Outcome.Outcome, log: false })
        const exit = yield* succeed
        assert.isTrue(Exit.isFailure(exit))
        if (Exit.isSuccess(exit)) return
        const defect = Cause.squash(exit.cause)
        assert.match(String(defect), /Outcome: classify must be a function that returns an Outcome/)
        const { counts, inFlight } = yield* breaker.status
        assert.deepStrictEqual([counts.ignored, counts.calls, inFlight], [1, 1, 0])
      }
    })
  )

  both("a classify whose hint is no duration still opens the circuit", () =>
    Effect.gen(function* () {
      for (const retryAfter of [{}, "soon", Number.NaN, null]) {
        const classify = () => ({ _tag: "Failure", retryAfter }) as unknown as Outcome.Outcome
        const { breaker, succeed } = yield* make({ ...quick, classify })
        yield* succeed
        const { state } = yield* breaker.status
        assert.strictEqual(state._tag === "Open" && state.openMillis, 10_000)
      }
    })
  )
})

describe("an open circuit", () => {
  both("P0 fails fast: the effect does not run", () =>
    Effect.gen(function* () {
      const { exit } = yield* opened()
      let ran = false
      assertRefused(yield* exit(Effect.sync(() => (ran = true))))
      assert.isFalse(ran)
    })
  )

  both("P3 says which breaker, in which state, since when, why and for how long", () =>
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
          reason: "2 consecutive failures, the last with Error: connection reset",
          by: undefined,
          retryAfterMillis: 6_000
        }
      )
      assert.strictEqual(error.openedAt, 60_000)
      assert.deepStrictEqual(error.retryAfter, Duration.seconds(6))
      assert.strictEqual(
        error.message,
        `Circuit "api" has been open since 1970-01-01T00:01:00.000Z: 2 consecutive failures, the last with Error: connection reset (next call in 6000 ms)`
      )
      assert.isTrue(Refusal.isRefusal(error))
    })
  )

  both("P0 a refusal is caught by its tag, alone or with others", () =>
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

  both("P0 CircuitOpenError and the error of a timeout are caught apart or together", () =>
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

  both("P0 lets the first call through after its time, and not a millisecond before", () =>
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

  both("P2 runs orElse in place of a call that it refuses, and only then", () =>
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

  both("P3 retry around it does not retry its refusals", () =>
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

describe("how long a circuit stays open", () => {
  const openMillis = (status: CircuitBreaker.Status) =>
    status.state._tag === "Open" ? status.state.openMillis : assert.fail(`it is ${status.state._tag}`)

  /** Opens a circuit again and again by failed probes, and returns for how long each time. */
  const openings = (options: CircuitBreaker.Options, times: number) =>
    Effect.gen(function* () {
      const { fail, status } = yield* make({ ...quick, ...options })
      const millis: Array<number> = []
      for (let i = 0; i < times; i++) {
        yield* fail
        millis.push(openMillis(yield* status))
        yield* TestClock.adjust(millis[i]!) // just pushed
      }
      return millis
    })

  both("P4 cooldown: a duration, always the same", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* openings({ openFor: "3 seconds" }, 4), [3_000, 3_000, 3_000, 3_000])
    })
  )

  it.effect("the default is 30 seconds", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* openings({ openFor: undefined }, 1), [30_000])
    })
  )

  both("a backoff: its n-th delay for the n-th opening", () =>
    Effect.gen(function* () {
      const openFor = Backoff.exponential({ initial: "1 second", max: "5 seconds", jitter: "none" })
      assert.deepStrictEqual(yield* openings({ openFor }, 5), [1_000, 2_000, 4_000, 5_000, 5_000])
    })
  )

  both("a schedule that ends: its last delay goes on", () =>
    Effect.gen(function* () {
      const openFor = Schedule.exponential("1 second").pipe(Schedule.upTo({ times: 3 }))
      assert.deepStrictEqual(yield* openings({ openFor }, 5), [1_000, 2_000, 4_000, 4_000, 4_000])
    })
  )

  both("a schedule that looks at elapsed time sees the time spent open", () =>
    Effect.gen(function* () {
      const openFor = Schedule.spaced("4 seconds").pipe(
        Schedule.modifyDelay(({ duration, elapsed }) =>
          Effect.succeed(Duration.millis(Duration.toMillis(duration) + elapsed))
        )
      )
      assert.deepStrictEqual(yield* openings({ openFor }, 3), [4_000, 8_000, 16_000])
    })
  )

  both("maxOpenFor bounds a schedule, also one without end", () =>
    Effect.gen(function* () {
      const openFor = Schedule.exponential("1 second")
      assert.deepStrictEqual(yield* openings({ openFor, maxOpenFor: "3 seconds" }, 4), [1_000, 2_000, 3_000, 3_000])
      const forever = Schedule.spaced(Duration.infinity)
      assert.deepStrictEqual(yield* openings({ openFor: forever, maxOpenFor: "3 seconds" }, 2), [3_000, 3_000])
      assert.deepStrictEqual(yield* openings({ openFor: Schedule.spaced("2 hours") }, 1), [3_600_000])
    })
  )

  both("the count begins again once it stayed closed as long as it was last open", () =>
    Effect.gen(function* () {
      for (const [closedFor, next] of [
        [1_999, 4_000],
        [2_000, 1_000]
      ] as const) {
        const { fail, status, succeed } = yield* make({
          ...quick,
          openFor: Backoff.exponential({ initial: "1 second", jitter: "none" })
        })
        yield* fail
        yield* TestClock.adjust("1 second")
        yield* fail
        assert.strictEqual(openMillis(yield* status), 2_000)
        yield* TestClock.adjust("2 seconds")
        yield* succeed
        yield* TestClock.adjust(closedFor)
        yield* fail
        assert.strictEqual(openMillis(yield* status), next)
      }
    })
  )

  both("release and reset begin the count again", () =>
    Effect.gen(function* () {
      const { breaker, fail, status } = yield* make({
        ...quick,
        openFor: Backoff.exponential({ initial: "1 second", jitter: "none" })
      })
      yield* fail
      yield* TestClock.adjust("1 second")
      yield* fail
      assert.strictEqual(openMillis(yield* status), 2_000)
      yield* CircuitBreaker.reset(breaker)
      yield* fail
      assert.strictEqual(openMillis(yield* status), 1_000)
      yield* TestClock.adjust("1 second")
      yield* fail
      yield* CircuitBreaker.holdOpen(breaker)
      yield* CircuitBreaker.release(breaker)
      yield* fail
      assert.strictEqual(openMillis(yield* status), 1_000)
    })
  )

  const hints: ReadonlyArray<[string, CircuitBreaker.Options, unknown, number]> = [
    ["lengthens it", {}, Duration.seconds(25), 25_000],
    ["cannot shorten it", {}, Duration.seconds(1), 10_000],
    ["of zero is none", {}, Duration.zero, 10_000],
    ["that is negative is none", {}, Duration.seconds(-5), 10_000],
    ["that is infinite is none", {}, Duration.infinity, 10_000],
    ["as text lengthens it", {}, "25 seconds", 25_000],
    ["in milliseconds lengthens it", {}, 25_000, 25_000],
    ["that is no duration is none", {}, "soon", 10_000],
    ["that the options read replaces the property", { retryAfter: () => "15 seconds" }, "25 seconds", 15_000],
    ["that the options read and find none", { retryAfter: () => undefined }, "25 seconds", 10_000],
    ["is bounded by maxOpenFor", { maxOpenFor: "20 seconds" }, Duration.seconds(25), 20_000],
    ["is bounded by an hour", {}, Duration.hours(5), 3_600_000],
    ["is bounded by openFor where that is longer than an hour", { openFor: "2 hours" }, Duration.hours(5), 7_200_000],
    ["lengthens the delay of a schedule", { openFor: Schedule.spaced("1 second") }, Duration.seconds(25), 25_000]
  ]
  for (const [name, options, retryAfter, millis] of hints) {
    both(`a retryAfter hint ${name}`, () =>
      Effect.gen(function* () {
        const { exit, status } = yield* make({ ...quick, ...options })
        yield* exit(Effect.fail(new Busy({ retryAfter })))
        assert.strictEqual(openMillis(yield* status), millis)
        // A probe that fails may give a hint as well.
        yield* TestClock.adjust(millis)
        yield* exit(Effect.fail(new Busy({ retryAfter })))
        assert.strictEqual(openMillis(yield* status), millis)
      })
    )
  }

  both("a hint may be read by a function, of the breaker or of one call", () =>
    Effect.gen(function* () {
      const wait = (seconds: number) => () => Duration.seconds(seconds)
      const { breaker, fail, status } = yield* make({ ...quick, retryAfter: wait(25) })
      yield* fail
      assert.strictEqual(openMillis(yield* status), 25_000)
      yield* CircuitBreaker.reset(breaker)
      yield* caller(breaker, { retryAfter: wait(40) }).fail
      assert.strictEqual(openMillis(yield* status), 40_000)
    })
  )

  both("a predicate or a reader of hints that throws is the caller's defect, and leaks nothing", () =>
    Effect.gen(function* () {
      const bug = () => {
        throw new Error("bug")
      }
      for (const options of [{ ignore: bug }, { failureIf: bug }, { retryAfter: bug }]) {
        const { breaker, fail, status } = yield* make({ ...quick, ...options })
        assert.isTrue(Exit.hasDies(yield* fail))
        yield* caller(breaker, options).fail
        const { counts, inFlight, state } = yield* status
        assert.deepStrictEqual([counts.ignored, inFlight, state._tag], [2, 0, "Closed"])
      }
    })
  )

  both("a hint of a failure that opens nothing is forgotten", () =>
    Effect.gen(function* () {
      const { exit, fail, status } = yield* make({ ...quick, trip: TripPolicy.consecutive(2) })
      yield* exit(Effect.fail(new Busy({ retryAfter: Duration.seconds(25) })))
      yield* fail
      assert.strictEqual(openMillis(yield* status), 10_000)
    })
  )

  both("a hint that the options of a call read", () =>
    Effect.gen(function* () {
      const { breaker, status } = yield* make(quick)
      const call = Effect.fail({ seconds: 25, retryAfter: "40 seconds" })
      const retryAfter = ({ seconds }: { readonly seconds: number }) => Duration.seconds(seconds)
      yield* Effect.exit(CircuitBreaker.protect(call, breaker, { retryAfter }))
      assert.strictEqual(openMillis(yield* status), 25_000)
    })
  )

  both("a retryAfter that throws is the caller's defect, and the call counts as ignored", () =>
    Effect.gen(function* () {
      const retryAfter = () => {
        throw new Error("a mistake")
      }
      const { breaker, exit } = yield* make({ ...quick, retryAfter })
      const ended = yield* exit(Effect.fail("unavailable"))
      assert.isTrue(Exit.isFailure(ended) && Cause.hasDies(ended.cause))
      const { counts, inFlight, state } = yield* breaker.status
      assert.deepStrictEqual([state._tag, counts.ignored, inFlight], ["Closed", 1, 0])
    })
  )

  both("a hint of classify, in any form of a duration", () =>
    Effect.gen(function* () {
      const { succeed, status } = yield* make({
        ...quick,
        classify: () => Outcome.failure({ retryAfter: "25 seconds" })
      })
      yield* succeed
      assert.strictEqual(openMillis(yield* status), 25_000)
    })
  )

  both("a hint of classify that is none leaves the call's own error, and opens for openFor", () =>
    Effect.gen(function* () {
      for (const retryAfter of [-1, Infinity, Number.NaN]) {
        const { fail, status } = yield* make({ ...quick, classify: () => Outcome.failure({ retryAfter }) })
        assert.deepStrictEqual(yield* fail, Exit.fail("boom"))
        assert.strictEqual(openMillis(yield* status), 10_000)
      }
    })
  )

  both("an open circuit tells how many failures opened it", () =>
    Effect.gen(function* () {
      const { fail, fails, status, succeed } = yield* make({
        trip: TripPolicy.failures({ count: 2, of: 10 }),
        openFor: "10 seconds",
        log: false
      })
      yield* fail
      yield* succeed
      yield* fail
      const { state } = yield* status
      assert.strictEqual(state._tag === "Open" && state.failures, 2)
      yield* TestClock.adjust("10 seconds")
      yield* fails(1)
      const { state: again } = yield* status
      assert.strictEqual(again._tag === "Open" && again.failures, 1)
    })
  )
})

describe("a half-open circuit", () => {
  both("P0 closes with the first success, by default", () =>
    Effect.gen(function* () {
      const { begin, state, succeed } = yield* due()
      const probe = yield* begin
      assert.strictEqual(yield* state, "HalfOpen")
      const error = refused(yield* succeed)
      assert.deepStrictEqual([error.state, error.retryAfter, error.openedAt], ["HalfOpen", undefined, undefined])
      assert.strictEqual(
        error.message,
        `Circuit "api" has been half-open since 1970-01-01T00:00:10.000Z and its probes are taken: 1 consecutive failure, the last with boom`
      )
      assert.deepStrictEqual(yield* probe.end(Exit.succeed(1)), Exit.succeed(1))
      assert.strictEqual(yield* state, "Closed")
      assert.deepStrictEqual(yield* succeed, Exit.succeed("value"))
    })
  )

  both("opens again with a failure, and says so", () =>
    Effect.gen(function* () {
      const { fail, status, succeed } = yield* due()
      yield* fail
      const { state } = yield* status
      assert.isTrue(state._tag === "Open" && state.since === 10_000 && state.openings === 2)
      assert.strictEqual(refused(yield* succeed).reason, "a failed probe, with boom")
    })
  )

  both("opens again with a defect", () =>
    Effect.gen(function* () {
      const { die, state } = yield* due()
      yield* die
      assert.strictEqual(yield* state, "Open")
    })
  )

  both("P2 needs as many successes as it is told, one after the other with one probe", () =>
    Effect.gen(function* () {
      const { state, succeed } = yield* due({ halfOpen: { successes: 3 } })
      for (const expected of ["HalfOpen", "HalfOpen", "Closed"]) {
        assert.deepStrictEqual(yield* succeed, Exit.succeed("value"))
        assert.strictEqual(yield* state, expected)
      }
    })
  )

  both("P2 one failure among them opens it again", () =>
    Effect.gen(function* () {
      const { fail, state, succeed, status } = yield* due({ halfOpen: { successes: 3 } })
      yield* succeed
      yield* succeed
      yield* fail
      assert.strictEqual(yield* state, "Open")
      yield* TestClock.adjust("10 seconds")
      yield* succeed
      yield* succeed
      // The successes of before do not count.
      const { state: half } = yield* status
      assert.isTrue(half._tag === "HalfOpen" && half.successes === 2)
    })
  )

  both("P1 admits as many calls at a time as there are probes", () =>
    Effect.gen(function* () {
      const { begin, state, status, succeed } = yield* due({ halfOpen: { probes: 3, successes: 3 } })
      const calls = [yield* begin, yield* begin, yield* begin]
      assert.deepStrictEqual(
        calls.map((call) => call.refused),
        [undefined, undefined, undefined]
      )
      assertRefused(yield* succeed)
      assert.strictEqual((yield* status).inFlight, 3)
      for (const call of calls) yield* call.end(Exit.succeed(1))
      assert.strictEqual(yield* state, "Closed")
    })
  )

  both("P3 failure_threshold 5, recovery_timeout 30, half_open_max_calls 3, success_threshold 2", () =>
    Effect.gen(function* () {
      const { begin, fails, state, succeed } = yield* make({
        trip: TripPolicy.consecutive(5),
        openFor: "30 seconds",
        halfOpen: { probes: 3, successes: 2 },
        log: false
      })
      yield* fails(5)
      yield* TestClock.adjust("30 seconds")
      const calls = [yield* begin, yield* begin, yield* begin]
      assertRefused(yield* succeed)
      yield* calls[2]!.end(Exit.succeed(1)) // there are three
      assert.strictEqual(yield* state, "HalfOpen")
      yield* calls[0]!.end(Exit.succeed(1)) // there are three
      assert.strictEqual(yield* state, "Closed")
      // What the third says comes too late.
      yield* calls[1]!.end(Exit.fail("boom")) // there are three
      assert.strictEqual(yield* state, "Closed")
    })
  )

  both("P4 success limit k of n: closes with k successes among n probes, whatever failed between", () =>
    Effect.gen(function* () {
      const { fail, state, succeed } = yield* due({ halfOpen: { successes: { count: 2, of: 4 } } })
      for (const call of [fail, succeed, fail]) {
        yield* call
        assert.strictEqual(yield* state, "HalfOpen")
      }
      yield* succeed
      assert.strictEqual(yield* state, "Closed")
    })
  )

  both("P4 success limit k of n: opens as soon as k can no longer be reached", () =>
    Effect.gen(function* () {
      const { fail, state, succeed } = yield* due({ halfOpen: { successes: { count: 3, of: 4 } } })
      yield* fail
      yield* succeed
      assert.strictEqual(yield* state, "HalfOpen")
      yield* fail
      assert.strictEqual(yield* state, "Open")
    })
  )

  const ratios: ReadonlyArray<[ratio: number, of: number, needed: number]> = [
    [1, 3, 3],
    [0.5, 4, 2],
    [0.5, 5, 3],
    [0.07, 100, 7],
    [0.1, 3, 1],
    [1e-9, 3, 1],
    [0.29, 100, 29],
    [2 / 3, 3, 2],
    [0.6, 5, 3]
  ]
  for (const [ratio, of, needed] of ratios) {
    it.effect(`P4 a success ratio of ${ratio} among ${of} is ${needed} successes`, () =>
      Effect.gen(function* () {
        const { succeed, state, fails } = yield* due({ halfOpen: { successes: { ratio, of } } })
        yield* fails(of - needed)
        for (let i = 1; i < needed; i++) yield* succeed
        assert.strictEqual(yield* state, "HalfOpen")
        yield* succeed
        assert.strictEqual(yield* state, "Closed")
      })
    )
  }

  both("an interrupted probe gives its permit back, and the next waits for the pace", () =>
    Effect.gen(function* () {
      const { begin, status, succeed } = yield* due({ halfOpen: { pace: "2 seconds" } })
      const probe = yield* begin
      yield* TestClock.adjust(500)
      assert.isTrue(Exit.hasInterrupts(yield* probe.interrupt))
      const { inFlight, state, retryAfter } = yield* status
      assert.deepStrictEqual([inFlight, state._tag, retryAfter], [0, "HalfOpen", Duration.seconds(2)])
      yield* TestClock.adjust(1_999)
      assert.strictEqual(refused(yield* succeed).retryAfterMillis, 1)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* succeed, Exit.succeed("value"))
    })
  )

  both("an ignored probe does the same", () =>
    Effect.gen(function* () {
      const { exit, state, succeed } = yield* due({ ignore: (error) => error === "not found" })
      assert.deepStrictEqual(yield* exit(Effect.fail("not found")), Exit.fail("not found"))
      assert.strictEqual(refused(yield* succeed).retryAfterMillis, 1_000)
      yield* TestClock.adjust("1 second")
      yield* succeed
      assert.strictEqual(yield* state, "Closed")
    })
  )

  both("a probe that does not settle loses its permit at the end of its lease", () =>
    Effect.gen(function* () {
      const { begin, state, succeed } = yield* due({ halfOpen: { leaseFor: "5 seconds" } })
      yield* begin
      yield* TestClock.adjust(4_999)
      assertRefused(yield* succeed)
      yield* TestClock.adjust(1)
      yield* succeed
      assert.strictEqual(yield* state, "Closed")
    })
  )

  both("a slow probe is a failed one", () =>
    Effect.gen(function* () {
      for (const end of ["success", "failure", "interruption"] as const) {
        const { begin, status } = yield* due({
          trip: TripPolicy.any(TripPolicy.consecutive(1), TripPolicy.slowCalls({ after: "1 second", minimumCalls: 99 }))
        })
        const probe = yield* begin
        yield* TestClock.adjust("1 second")
        yield* end === "interruption"
          ? probe.interrupt
          : probe.end(end === "success" ? Exit.succeed(1) : Exit.fail("boom"))
        const { state } = yield* status
        assert.deepStrictEqual(
          state._tag === "Open" && state.reason,
          end === "failure" ? "a failed probe, with boom" : "a slow probe"
        )
      }
    })
  )

  both("a probe that is not slow closes it, where slow calls count", () =>
    Effect.gen(function* () {
      const { begin, state } = yield* due({
        trip: TripPolicy.any(TripPolicy.consecutive(1), TripPolicy.slowCalls({ after: "1 second", minimumCalls: 99 }))
      })
      const probe = yield* begin
      yield* TestClock.adjust(999)
      yield* probe.end(Exit.succeed(1))
      assert.strictEqual(yield* state, "Closed")
    })
  )
})

describe("a circuit in an operator's hands", () => {
  both("P1 FORCED_OPEN: held open, it refuses every call until it is released", () =>
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

  both("P1 FORCED_CLOSED: held closed, it admits every call whatever the outcomes", () =>
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

  both("P1 the five states, from each to each that an operator can reach", () =>
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

  both("P0 P3 reset closes an open circuit, with clean counts", () =>
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
  both("P0 a class with its layer; every user gets the same breaker", () =>
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

  it.effect("P4 in-memory without PostgreSQL: the layers need no store, and the shared one takes the local one", () =>
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
