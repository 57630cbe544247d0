// empathy asked whether the default was None to find out whether there was one, so a default of None could not be given.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Fallback from "../../src/policies/Fallback.ts"
import * as Timeout from "../../src/policies/Timeout.ts"

const down: Effect.Effect<string, string> = Effect.fail("down")

describe("a null default is a default (empathy)", () => {
  for (const value of [null, undefined, 0, "", false, []]) {
    const name = JSON.stringify(value) ?? "undefined"

    it.effect(`${name} ends a chain`, () =>
      Effect.gen(function* () {
        const chain = Fallback.chain([Fallback.source("primary", down)], { default: () => value })
        assert.deepStrictEqual<unknown>(yield* Effect.exit(chain), Exit.succeed(value))
      })
    )

    it.effect(`${name} answers a failure`, () =>
      Effect.gen(function* () {
        const answered = down.pipe(Fallback.orElseSucceed(() => value))
        assert.deepStrictEqual<unknown>(yield* Effect.exit(answered), Exit.succeed(value))
      })
    )

    it.effect(`${name} answers a timeout`, () =>
      Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(Timeout.orElseSucceed(Effect.never, "1 second", () => value))
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual<unknown>(yield* Fiber.await(fiber), Exit.succeed(value))
      })
    )
  }
})
