import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit } from "effect"
import * as Retry from "../../src/policies/Retry.ts"
import { second, scripted, settle } from "./attempts.ts"

describe("retryUntil", () => {
  const positive = { until: (n: number) => n > 0, backoff: second }

  it.effect("runs once where the first value is accepted", () =>
    Effect.gen(function* () {
      const { effect, starts } = scripted(Exit.succeed(1))
      assert.deepStrictEqual((yield* settle(effect.pipe(Retry.retryUntil(positive)))).exit, Exit.succeed(1))
      assert.lengthOf(starts, 1)
    })
  )

  it.effect("runs again until the value is accepted", () =>
    Effect.gen(function* () {
      const { effect, starts } = scripted(Exit.succeed(-1), Exit.succeed(0), Exit.succeed(5))
      assert.deepStrictEqual((yield* settle(Retry.retryUntil(effect, positive))).exit, Exit.succeed(5))
      assert.deepStrictEqual(starts, [0, 1000, 2000])
    })
  )

  for (const value of [0, "", null, undefined, false]) {
    it.effect(`accepts ${String(value) || "an empty string"}`, () =>
      Effect.gen(function* () {
        const { exit } = yield* settle(Retry.retryUntil(Effect.succeed(value), { until: (v) => v === value }))
        assert.deepStrictEqual(exit, Exit.succeed(value))
      })
    )
  }

  it.effect("fails with the last value where attempts run out", () =>
    Effect.gen(function* () {
      const { effect } = scripted(Exit.succeed(-1), Exit.succeed(-2), Exit.succeed(-3))
      const error = yield* settle(Effect.flip(Retry.retryUntil(effect, positive)))
      assert.deepStrictEqual(
        error.exit,
        Exit.succeed(
          new Retry.RetryExhaustedError({
            attempts: 3,
            elapsed: Duration.seconds(2),
            lastError: new Retry.UnacceptedValue({ value: -3 }),
            why: "attempts"
          })
        )
      )
    })
  )

  it.effect("counts failures and values as attempts alike", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const { effect } = scripted<number, string>(Exit.fail("a"), Exit.succeed(-1), Exit.fail("b"))
      const { exit } = yield* settle(
        effect.pipe(
          Retry.retryUntil({
            ...positive,
            onRetry: ({ attempt, error }) => Effect.sync(() => seen.push([attempt, error]))
          }),
          Effect.flip
        )
      )
      assert.deepStrictEqual(seen, [
        [1, "a"],
        [2, new Retry.UnacceptedValue({ value: -1 })]
      ])
      assert.isTrue(
        Exit.isSuccess(exit) && exit.value instanceof Retry.RetryExhaustedError && exit.value.lastError === "b"
      )
    })
  )

  it.effect("shows errors to while, and no values", () =>
    Effect.gen(function* () {
      const shown: Array<string> = []
      const { effect } = scripted<number, string>(Exit.succeed(-1), Exit.fail("a"), Exit.succeed(1))
      yield* settle(Retry.retryUntil(effect, { ...positive, while: (error) => shown.push(error) > 0 }))
      assert.deepStrictEqual(shown, ["a"])
      const failing = scripted<number, string>(Exit.succeed(-1), Exit.fail("a"))
      const { exit } = yield* settle(Retry.retryUntil(failing.effect, { ...positive, while: () => false }))
      assert.deepStrictEqual(exit, Exit.fail("a"))
    })
  )

  it.effect("waits for the hint that retryAfter reads from the value", () =>
    Effect.gen(function* () {
      const { effect, starts } = scripted(Exit.succeed({ done: false, wait: 5000 }))
      const retryAfter = ({ value }: Retry.UnacceptedValue<{ readonly wait: number }>) => value.wait
      yield* settle(Retry.retryUntil(effect, { until: ({ done }) => done, backoff: second, retryAfter }))
      assert.deepStrictEqual(starts, [0, 5000, 10_000])
    })
  )

  it.effect("gives up where the value asks for more than maxRetryAfter", () =>
    Effect.gen(function* () {
      const { effect, starts } = scripted(Exit.succeed({ done: false }))
      const options = { until: ({ done }: { readonly done: boolean }) => done, retryAfter: () => "1 hour" as const }
      const { exit } = yield* settle(Effect.flip(Retry.retryUntil(effect, options)))
      assert.isTrue(Exit.isSuccess(exit) && exit.value.why === "retryAfter" && exit.value.attempts === 1)
      assert.lengthOf(starts, 1)
    })
  )

  it.effect("reads no hint from a property of the value", () =>
    Effect.gen(function* () {
      const { effect, starts } = scripted(Exit.succeed({ done: false, retryAfter: 9000 }))
      yield* settle(Retry.retryUntil(effect, { until: ({ done }) => done, backoff: second }))
      assert.deepStrictEqual(starts, [0, 1000, 2000])
    })
  )

  it.effect("begins no attempt after maxElapsed", () =>
    Effect.gen(function* () {
      const { effect, starts } = scripted(Exit.succeed(0))
      const { exit } = yield* settle(Effect.flip(Retry.retryUntil(effect, { ...positive, maxElapsed: 1000 })))
      assert.isTrue(Exit.isSuccess(exit) && exit.value.why === "elapsed")
      assert.deepStrictEqual(starts, [0, 1000])
    })
  )

  it.effect("an until that throws is a defect, and is not retried", () =>
    Effect.gen(function* () {
      const { effect, starts } = scripted(Exit.succeed(0))
      const bug = () => {
        throw new Error("bug")
      }
      const { exit } = yield* settle(Retry.retryUntil(effect, { until: bug }))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      assert.lengthOf(starts, 1)
    })
  )
})
