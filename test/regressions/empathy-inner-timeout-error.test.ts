// empathy took a TimeoutError that the wrapped function raised for the deadline of its own timeout, and answered with
// the fallback.
import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Timeout from "../../src/policies/Timeout.ts"

const ownError = new Timeout.TimeoutExceededError({ after: Duration.seconds(1), operation: "query" })

const inner: ReadonlyArray<[string, Effect.Effect<never, unknown>, unknown]> = [
  ["of Effect", Effect.timeout(Effect.never, "1 second"), new Cause.TimeoutError("Operation timed out after '1s'")],
  ["of this package", Timeout.timeout(Effect.never, "1 second", { operation: "query" }), ownError],
  ["of this package that is made by hand", Effect.fail(ownError), ownError],
  [
    "of the platform",
    Effect.fail(new DOMException("timed out", "TimeoutError")),
    new DOMException("timed out", "TimeoutError")
  ]
]

describe("an inner timeout is not taken for one's own (empathy)", () => {
  for (const [name, work, error] of inner) {
    it.effect(`a timeout error ${name} passes through`, () =>
      Effect.gen(function* () {
        let fallbacks = 0
        const fiber = yield* Effect.forkChild(
          Effect.all([
            Effect.exit(Timeout.timeout(work, "2 seconds", { operation: "request" })),
            Effect.exit(Timeout.orElse(work, "2 seconds", () => Effect.sync(() => fallbacks++))),
            Effect.exit(Timeout.orElseSucceed(work, "2 seconds", () => fallbacks++))
          ])
        )
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(yield* Fiber.join(fiber), [Exit.fail(error), Exit.fail(error), Exit.fail(error)])
        assert.strictEqual(fallbacks, 0)
      })
    )
  }

  it.effect("an outer deadline does not run the fallback of an inner timeout", () =>
    Effect.gen(function* () {
      let fallbacks = 0
      const fiber = yield* Effect.never.pipe(
        Timeout.orElse("5 seconds", () => Effect.sync(() => fallbacks++)),
        Timeout.timeout("2 seconds", { operation: "request" }),
        Effect.flip,
        Effect.forkChild
      )
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* Fiber.join(fiber)).operation, "request")
      assert.strictEqual(fallbacks, 0)
    })
  )

  it.effect("of two deadlines at the same moment the inner one is reported", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.never.pipe(
        Timeout.timeout("2 seconds", { operation: "inner" }),
        Timeout.timeout("2 seconds", { operation: "outer" }),
        Effect.flip,
        Effect.forkChild
      )
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* Fiber.join(fiber)).operation, "inner")
    })
  )
})
