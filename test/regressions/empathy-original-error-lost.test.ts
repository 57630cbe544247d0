// empathy raised the error of the last fallback: the one that had started it all was gone.
import { assert, describe, it } from "@effect/vitest"
import { Cause, Data, Effect, Exit } from "effect"
import * as Fallback from "../../src/policies/Fallback.ts"

class PrimaryDown extends Data.TaggedError("PrimaryDown")<{ readonly message: string }> {}
class CacheEmpty extends Data.TaggedError("CacheEmpty")<{ readonly message: string }> {}

const primary: Effect.Effect<string, PrimaryDown> = Effect.fail(new PrimaryDown({ message: "connection refused" }))
const cache: Effect.Effect<string, CacheEmpty> = Effect.fail(new CacheEmpty({ message: "no entry" }))

describe("the original error is not lost when the fallback fails too (empathy)", () => {
  it.effect("it is in the cause and in its text, behind the error of the fallback", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(primary.pipe(Fallback.orElse(() => cache)))
      const cause = Exit.isFailure(exit) ? exit.cause : assert.fail("it succeeded")
      assert.deepStrictEqual<unknown>(
        cause.reasons.map((reason) => (Cause.isFailReason(reason) ? reason.error._tag : reason._tag)),
        ["CacheEmpty", "PrimaryDown"]
      )
      assert.match(Cause.pretty(cause), /CacheEmpty: no entry[^]*PrimaryDown: connection refused/)
    })
  )

  it.effect("the error of the fallback is the one that is caught", () =>
    Effect.gen(function* () {
      const caught = primary.pipe(
        Fallback.orElse(() => cache),
        Effect.catchTag("CacheEmpty", (error) => Effect.succeed(error.message))
      )
      assert.strictEqual(yield* caught, "no entry")
    })
  )

  it.effect("an exhausted chain names every source with its error", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        Fallback.chain([Fallback.source("primary", primary), Fallback.source("cache", cache)])
      )
      assert.strictEqual(
        error.message,
        "Every source failed: primary (PrimaryDown: connection refused), cache (CacheEmpty: no entry)"
      )
    })
  )
})
