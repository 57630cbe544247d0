// attune-ai#1036: `register("x", fn)` was accepted, registered nothing and said nothing, because
// `register` was a decorator factory that ignored what it was not made for.
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import * as Health from "../../src/health/Health.ts"
import { InvalidOptionError } from "../../src/core/Options.ts"

// The service's own method, as code without types may call it.
const register = Health.register as unknown as (...args: ReadonlyArray<unknown>) => Effect.Effect<void>

const notChecks: ReadonlyArray<[string, unknown]> = [
  ["a function", () => true],
  ["an async function", async () => true],
  ["an effect", Effect.succeed(true)],
  ["true", true],
  ["an object that looks like one", { effect: Effect.void, critical: true, kinds: ["readiness"] }],
  ["null", null],
  ["nothing", undefined]
]

describe("attune-ai#1036: a check that is registered is there, and what cannot be one is refused at once", () => {
  it.effect("register returns once the check is in the report", () =>
    Effect.gen(function* () {
      yield* Health.register("x", Health.check(Effect.succeed(true)))
      assert.deepStrictEqual(
        (yield* Health.report).checks.map((c) => c.name),
        ["x"]
      )
    }).pipe(Effect.provide(Health.layer()))
  )

  for (const [what, value] of notChecks) {
    it(`register("x", ${what}) throws before anything runs`, () => {
      try {
        void register("x", value)
      } catch (error) {
        assert.instanceOf(error, InvalidOptionError)
        if (!(error instanceof InvalidOptionError)) return
        assert.deepStrictEqual(
          [error.module, error.field, error.value, error.rule],
          ["Health", "check", value, "a check made by Health.check"]
        )
        return
      }
      assert.fail("it was accepted")
    })

    it.effect(`the service refuses ${what} as a defect`, () =>
      Effect.gen(function* () {
        const health = yield* Health.Health
        const exit = yield* Effect.exit(health.register("x", value as Health.Check))
        assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) instanceof InvalidOptionError)
        assert.deepStrictEqual((yield* Health.report).checks, [])
      }).pipe(Effect.provide(Health.layer()))
    )
  }

  it("check(fn) throws instead of returning a function that waits for an effect", () => {
    assert.throws(() => Health.check((() => true) as unknown as Effect.Effect<boolean>), /effect must be an Effect/)
  })
})
