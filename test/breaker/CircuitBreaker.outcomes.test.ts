import { assert, describe } from "@effect/vitest"
import { Cause, Data, Effect, Exit } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as Outcome from "../../src/core/Outcome.ts"
import { both, caller, make, quick } from "../support/circuits.ts"

class NotFound extends Data.TaggedError("NotFound")<{ readonly id: number }> {}
class Unavailable extends Data.TaggedError("Unavailable") {}

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
    ["failureIf: what it matches is a failure", { failureIf: (e) => e === "e" }, Exit.fail("e"), "Failure"],
    ["failureIf: what it does not match is ignored", { failureIf: (e) => e === "x" }, Exit.fail("e"), "Ignored"],
    ["failureIf: a defect stays a failure", { failureIf: () => false }, Exit.die("d"), "Failure"],
    ["ignore: what it matches is ignored", { ignore: (e) => e === "e" }, Exit.fail("e"), "Ignored"],
    ["ignore: what it does not match is a failure", { ignore: (e) => e === "x" }, Exit.fail("e"), "Failure"],
    ["ignore by tag", { ignore: "NotFound" }, Exit.fail(new NotFound({ id: 1 })), "Ignored"],
    ["ignore by another tag", { ignore: "NotFound" }, Exit.fail(new Unavailable()), "Failure"],
    ["ignore by several tags", { ignore: ["NotFound", "Unavailable"] }, Exit.fail(new Unavailable()), "Ignored"],
    ["failureIf by tag", { failureIf: "Unavailable" }, Exit.fail(new Unavailable()), "Failure"],
    ["failureIf by another tag", { failureIf: ["Unavailable"] }, Exit.fail(new NotFound({ id: 1 })), "Ignored"],
    ["ignore wins over failureIf", { failureIf: () => true, ignore: () => true }, Exit.fail("e"), "Ignored"],
    ["classify decides about a value", { classify: () => Outcome.failure() }, Exit.succeed(1), "Failure"],
    ["classify decides about an error", { classify: () => Outcome.success }, Exit.fail("e"), "Success"],
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
