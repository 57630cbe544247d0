import { assert, describe, it } from "@effect/vitest"
import { Cause, Data, Effect, Exit, Option, Ref, Schema } from "effect"
import * as Health from "../../src/health/Health.ts"
import * as HealthCheck from "../../src/health/internal/HealthCheck.ts"
import { thrown } from "../suites/rules.ts"

class Refused extends Data.TaggedError("Refused")<{ readonly host: string }> {}
class Explained extends Data.TaggedError("Explained")<{ readonly port: number }> {
  override get message() {
    return `nobody listens on ${this.port}`
  }
}

describe("what the effect of a check says", () => {
  const unreadable = new Proxy(
    {},
    {
      has: () => {
        throw new Error("no")
      },
      getPrototypeOf: () => {
        throw new Error("no")
      }
    }
  )
  const table: ReadonlyArray<
    [string, Exit.Exit<unknown, unknown>, Health.Status, (string | undefined)?, Schema.Json?]
  > = [
    ["true", Exit.succeed(true), "healthy"],
    ["no value", Exit.void, "healthy"],
    ["details", Exit.succeed({ free: 3 }), "healthy", undefined, { free: 3 }],
    [
      "details without a prototype",
      Exit.succeed(Object.assign(Object.create(null), { a: 1 })),
      "healthy",
      undefined,
      { a: 1 }
    ],
    ["empty details", Exit.succeed({}), "healthy", undefined, {}],
    ["false", Exit.succeed(false), "unhealthy", "the check answered false"],
    ["null", Exit.succeed(null), "healthy"],
    ["zero", Exit.succeed(0), "healthy"],
    ["an empty string", Exit.succeed(""), "healthy"],
    ["a list of rows", Exit.succeed([{ one: 1 }]), "healthy"],
    ["an instance of a class", Exit.succeed(new Date(0)), "healthy"],
    ["an option", Exit.succeed(Option.none()), "healthy"],
    ["healthy()", Exit.succeed(Health.healthy()), "healthy"],
    ["healthy(0)", Exit.succeed(Health.healthy(0)), "healthy", undefined, 0],
    ["healthy(null)", Exit.succeed(Health.healthy(null)), "healthy", undefined, null],
    ["healthy([])", Exit.succeed(Health.healthy([])), "healthy", undefined, []],
    ["degraded", Exit.succeed(Health.degraded("slow", { ms: 900 })), "degraded", "slow", { ms: 900 }],
    ["degraded without a message", Exit.succeed(Health.degraded("")), "degraded", ""],
    ["unhealthy", Exit.succeed(Health.unhealthy("full", { free: 0n })), "unhealthy", "full", { free: "0" }],
    ["a thrown error", Exit.die(new Error("boom")), "unhealthy", "boom"],
    ["a typed Error", Exit.fail(new Error("refused")), "unhealthy", "refused"],
    [
      "a typed error with a message of its own",
      Exit.fail(new Explained({ port: 80 })),
      "unhealthy",
      "nobody listens on 80"
    ],
    ["a typed error without a message", Exit.fail(new Refused({ host: "a" })), "unhealthy", "Refused"],
    ["an Error without a message", Exit.fail(new TypeError()), "unhealthy", "TypeError"],
    ["a string as error", Exit.fail("connection refused"), "unhealthy", "connection refused"],
    ["a plain object as error", Exit.fail({ code: 7n }), "unhealthy", `{"code":"7"}`],
    ["undefined as error", Exit.fail(undefined), "unhealthy", "undefined"],
    ["null as error", Exit.fail(null), "unhealthy", "null"],
    ["a message that is no string", Exit.fail({ message: 5 }), "unhealthy", `{"message":5}`],
    ["an unreadable error", Exit.fail(unreadable), "unhealthy", "an error without a readable message"],
    [
      "an unreadable value",
      Exit.succeed(unreadable),
      "unhealthy",
      "the check answered with a value that cannot be read"
    ],
    ["an interruption", Exit.interrupt(1), "unhealthy", "interrupted"],
    [
      "an error beside an interruption",
      Exit.failCause(Cause.combine(Cause.interrupt(1), Cause.fail("late"))),
      "unhealthy",
      "late"
    ],
    [
      "an effect nobody ran",
      Exit.succeed(Effect.void),
      "unhealthy",
      "the check answered with an Effect that was not run"
    ],
    ["an exit", Exit.succeed(Exit.fail("down")), "unhealthy", "the check answered with an Effect that was not run"],
    [
      "a promise nobody awaited",
      Exit.succeed(Promise.resolve()),
      "unhealthy",
      "the check answered with a promise that was not awaited"
    ]
  ]
  for (const [name, exit, status, message, details] of table) {
    it(`${name} is ${status}`, () => {
      const result = HealthCheck.fromExit(exit)
      assert.deepStrictEqual([result.status, result.message, result.details], [status, message, details])
    })
  }

  it.effect("a check releases what it acquired each time it ends", () =>
    Effect.gen(function* () {
      const open = yield* Ref.make(0)
      const check = Health.check(
        Effect.acquireRelease(
          Ref.update(open, (n) => n + 1),
          () => Ref.update(open, (n) => n - 1)
        )
      )
      yield* Effect.gen(function* () {
        yield* Health.report
        yield* Health.report
        assert.strictEqual(yield* Ref.get(open), 0)
      }).pipe(Effect.provide(Health.layer({ checks: { check } })))
    })
  )
})

describe("bad options of a check", () => {
  const table: ReadonlyArray<[string, unknown, string, string]> = [
    ["timeout", 0, "timeout", "a finite duration > 0"],
    ["timeout", -1, "timeout", "a finite duration > 0"],
    ["timeout", Number.NaN, "timeout", "a finite duration > 0"],
    ["timeout", "Infinity", "timeout", "a finite duration > 0"],
    ["timeout", "5 parsecs", "timeout", "a finite duration > 0"],
    ["ttl", -1, "ttl", "a finite duration >= 0"],
    ["ttl", Number.NaN, "ttl", "a finite duration >= 0"],
    ["ttl", Number.POSITIVE_INFINITY, "ttl", "a finite duration >= 0"],
    ["ttl", "soon", "ttl", "a finite duration >= 0"],
    ["critical", "yes", "critical", "true or false"],
    ["critical", 0, "critical", "true or false"],
    ["kinds", [], "kinds", "a list of at least one kind"],
    ["kinds", "liveness", "kinds", "a list of at least one kind"],
    ["kinds", ["readiness", "ready"], "kinds.1", "one of liveness, readiness, startup"]
  ]
  for (const [option, value, field, rule] of table) {
    it(`${option} ${JSON.stringify(value) ?? String(value)} is refused: ${rule}`, () => {
      const error = thrown(() => Health.check(Effect.void, { [option]: value }))
      assert.strictEqual(error.module, "Health")
      assert.strictEqual(error.field, field)
      assert.strictEqual(error.rule, rule)
      if (field === option) assert.deepStrictEqual(error.value, value)
    })
  }

  for (const value of [() => true, undefined, null, true, Promise.resolve(true), { run: Effect.void }]) {
    it(`${String(value)} in the place of an effect is refused`, () => {
      const error = thrown(() => Health.check(value as unknown as Effect.Effect<boolean>))
      assert.deepStrictEqual([error.module, error.field, error.rule], ["Health", "effect", "an Effect"])
      assert.strictEqual(error.value, value)
    })
  }

  it("ttl 0 is allowed", () => {
    assert.strictEqual(Health.check(Effect.void, { ttl: 0 }).ttl, 0)
  })
})

describe("defaults of a check", () => {
  it("a check is critical, counts for readiness and startup, and takes timeout and ttl from the layer", () => {
    const { critical, kinds, timeout, ttl } = Health.check(Effect.void)
    assert.deepStrictEqual(
      { critical, kinds, timeout, ttl },
      { critical: true, kinds: ["readiness", "startup"], timeout: undefined, ttl: undefined }
    )
  })
})

describe("CheckConfig", () => {
  it("decodes from JSON into options of a check", () => {
    const options = Schema.decodeUnknownSync(Health.CheckConfig)({
      timeout: "2 seconds",
      ttl: 500,
      critical: false,
      kinds: ["liveness"]
    })
    const check = Health.check(Effect.void, options)
    assert.deepStrictEqual([check.timeout, check.ttl, check.critical, check.kinds], [2000, 500, false, ["liveness"]])
  })

  const table: ReadonlyArray<[unknown, string, RegExp]> = [
    [{ timeout: "0 seconds" }, `["timeout"]`, /a finite duration > 0/],
    [{ timeout: "5 parsecs" }, `["timeout"]`, /./],
    [{ ttl: -1 }, `["ttl"]`, /a finite duration >= 0/],
    [{ critical: "yes" }, `["critical"]`, /boolean/],
    [{ kinds: [] }, `["kinds"]`, /a list of at least one kind/],
    [{ kinds: ["ready"] }, `["kinds"][0]`, /"liveness"/],
    [{ timeoutMs: 5 }, `["timeoutMs"]`, /unknown key/]
  ]
  for (const [json, path, rule] of table) {
    it(`${JSON.stringify(json)} is refused with its path`, () => {
      const exit = Schema.decodeUnknownExit(Health.CheckConfig)(json)
      const message = String(Exit.isFailure(exit) ? Cause.squash(exit.cause) : "")
      assert.include(message, path)
      assert.match(message, rule)
    })
  }
})

describe("guards", () => {
  it("tell checks and results from other values", () => {
    assert.isTrue(Health.isCheck(Health.check(Effect.void)))
    assert.isFalse(Health.isCheck(Effect.void))
    assert.isFalse(Health.isCheck(undefined))
    assert.isTrue(Health.isResult(Health.degraded("x")))
    assert.isFalse(Health.isResult({ status: "degraded", message: "x" }))
  })
})
