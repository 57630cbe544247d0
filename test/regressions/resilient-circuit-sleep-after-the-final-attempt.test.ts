// resilient-circuit sleeps after the final attempt too, so the caller waits one more delay for an error that is known.
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Backoff from "../../src/policies/Backoff.ts"
import * as Retry from "../../src/policies/Retry.ts"

/** Counts the sleeps of an effect that is run to its end, and the time that it took. */
const sleeps = Effect.fnUntraced(function* <A, E>(effect: Effect.Effect<A, E>) {
  const clock = yield* Clock.Clock
  let count = 0
  const counting: Clock.Clock = Object.assign(Object.create(clock), {
    sleep: (duration: Duration.Duration) =>
      Effect.andThen(
        Effect.sync(() => count++),
        clock.sleep(duration)
      )
  })
  const fiber = yield* effect.pipe(
    Effect.exit,
    Effect.flatMap((exit) => Effect.map(Clock.currentTimeMillis, (took) => ({ exit, took }))),
    Effect.provideService(Clock.Clock, counting),
    Effect.forkChild
  )
  yield* TestClock.adjust("1 hour")
  const { exit, took } = yield* Fiber.join(fiber)
  return { exit, took, count }
})

const backoff = Backoff.constant("1 second")

describe("resilient-circuit: no sleep after the final attempt", () => {
  for (const maxAttempts of [1, 2, 3]) {
    it.effect(`${maxAttempts} attempts sleep ${maxAttempts - 1} times`, () =>
      Effect.gen(function* () {
        const result = yield* sleeps(Retry.retry(Effect.fail("no"), { maxAttempts, backoff }))
        assert.deepStrictEqual(result, {
          exit: Exit.fail("no"),
          took: (maxAttempts - 1) * 1000,
          count: maxAttempts - 1
        })
      })
    )

    it.effect(`retryOrExhausted: ${maxAttempts} attempts sleep ${maxAttempts - 1} times`, () =>
      Effect.gen(function* () {
        const { count, took } = yield* sleeps(Retry.retryOrExhausted(Effect.fail("no"), { maxAttempts, backoff }))
        assert.deepStrictEqual({ count, took }, { count: maxAttempts - 1, took: (maxAttempts - 1) * 1000 })
      })
    )

    it.effect(`retryUntil: ${maxAttempts} attempts sleep ${maxAttempts - 1} times`, () =>
      Effect.gen(function* () {
        const { count } = yield* sleeps(
          Retry.retryUntil(Effect.succeed(0), { until: () => false, maxAttempts, backoff })
        )
        assert.strictEqual(count, maxAttempts - 1)
      })
    )
  }

  it.effect("no sleep before an attempt that maxElapsed rules out", () =>
    Effect.gen(function* () {
      const options = { maxAttempts: 5, backoff, maxElapsed: "2500 millis" } as const
      const { count, took } = yield* sleeps(Retry.retry(Effect.fail("no"), options))
      assert.deepStrictEqual({ count, took }, { count: 2, took: 2000 })
    })
  )

  it.effect("no sleep for an error that is not retried", () =>
    Effect.gen(function* () {
      const { count, took } = yield* sleeps(Retry.retry(Effect.fail("no"), { while: () => false, backoff }))
      assert.deepStrictEqual({ count, took }, { count: 0, took: 0 })
    })
  )
})
