import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Schedule } from "effect"
import * as Retry from "../../src/policies/Retry.ts"
import { Unavailable, NotFound, second, scripted, settle } from "./attempts.ts"

describe("retryOrExhausted", () => {
  const exhausted = Effect.fnUntraced(function* <A, E, R>(effect: Effect.Effect<A, E, R>) {
    const { exit } = yield* settle(effect)
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    if (!(error instanceof Retry.RetryExhaustedError)) return assert.fail(`${String(error)} is no RetryExhaustedError`)
    const { attempts, elapsed, lastError, why } = error
    return { attempts, elapsed: Duration.toMillis(elapsed), lastError, why }
  })

  it.effect("fails with RetryExhaustedError, with the attempts and the last error", () =>
    Effect.gen(function* () {
      const { effect } = scripted(Exit.fail("a"), Exit.fail("b"), Exit.fail("c"))
      assert.deepStrictEqual(yield* exhausted(Retry.retryOrExhausted(effect, { backoff: second })), {
        attempts: 3,
        elapsed: 2000,
        lastError: "c",
        why: "attempts"
      })
    })
  )

  it.effect("says when time ran out, with the time that passed", () =>
    Effect.gen(function* () {
      const slow = Effect.andThen(Effect.sleep("300 millis"), Effect.fail("no"))
      const options = { maxAttempts: 9, backoff: second, maxElapsed: "2 seconds" } as const
      assert.deepStrictEqual(yield* exhausted(Retry.retryOrExhausted(slow, options)), {
        attempts: 2,
        elapsed: 1600,
        lastError: "no",
        why: "elapsed"
      })
    })
  )

  it.effect("says when the schedule stopped", () =>
    Effect.gen(function* () {
      for (const [backoff, attempts] of [
        [Schedule.recurs(1), 2],
        [Schedule.spaced("Infinity"), 1]
      ] as const) {
        assert.deepStrictEqual(
          yield* exhausted(Retry.retryOrExhausted(Effect.fail("no"), { backoff, maxAttempts: 9 })),
          {
            attempts,
            elapsed: 0,
            lastError: "no",
            why: "schedule"
          }
        )
      }
    })
  )

  it.effect("is for a single attempt too", () =>
    Effect.gen(function* () {
      assert.include(yield* exhausted(Retry.retryOrExhausted(Effect.fail("no"), { maxAttempts: 1 })), {
        attempts: 1,
        why: "attempts"
      })
    })
  )

  it.effect("fails with the error itself where it is not retried, also after retries", () =>
    Effect.gen(function* () {
      const { effect, starts } = scripted<never, Unavailable | NotFound>(
        Exit.fail(new Unavailable({})),
        Exit.fail(new NotFound())
      )
      const { exit } = yield* settle(effect.pipe(Retry.retryOrExhausted({ while: "Unavailable" })))
      assert.deepStrictEqual(exit, Exit.fail(new NotFound()))
      assert.lengthOf(starts, 2)
    })
  )

  it.effect("an error that is not retried passes as itself in the last attempt too", () =>
    Effect.gen(function* () {
      const { effect } = scripted<never, Unavailable | NotFound>(
        Exit.fail(new Unavailable({})),
        Exit.fail(new NotFound())
      )
      const { exit } = yield* settle(effect.pipe(Retry.retryOrExhausted({ while: "Unavailable", maxAttempts: 2 })))
      assert.deepStrictEqual(exit, Exit.fail(new NotFound()))
    })
  )

  it.effect("succeeds with the value", () =>
    Effect.gen(function* () {
      const { effect } = scripted(Exit.fail("no"), Exit.succeed(undefined))
      assert.deepStrictEqual((yield* settle(Retry.retryOrExhausted(effect))).exit, Exit.succeed(undefined))
    })
  )

  it("says what happened in its message, and has the last error as its cause", () => {
    const table: ReadonlyArray<readonly [lastError: unknown, text: string]> = [
      ["no", "no"],
      [new Error("broken"), "broken"],
      [new NotFound(), "NotFound"],
      [{ _tag: "Odd", message: "strange" }, "Odd: strange"],
      [new Retry.UnacceptedValue({ value: 3 }), "the value was not accepted"],
      [undefined, "undefined"],
      [{ status: 500 }, "an object"],
      [null, "null"]
    ]
    for (const [lastError, text] of table) {
      const error = new Retry.RetryExhaustedError({
        attempts: 3,
        elapsed: Duration.millis(1500),
        lastError,
        why: "attempts"
      })
      assert.strictEqual(error.message, `gave up after 3 attempts in 1s 500ms (attempts): ${text}`)
      assert.strictEqual(error.cause, lastError)
    }
    const one = new Retry.RetryExhaustedError({ attempts: 1, elapsed: Duration.zero, lastError: "no", why: "schedule" })
    assert.strictEqual(one.message, "gave up after 1 attempt in 0 (schedule): no")
  })
})
