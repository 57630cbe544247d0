import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Schedule, Schema } from "effect"
import { TestClock } from "effect/testing"
import * as Health from "../../src/health/Health.ts"
import { fork, provide, up } from "../support/health.ts"
import { thrown } from "../suites/rules.ts"

describe("bad options of the layer", () => {
  const table: ReadonlyArray<[string, unknown, string, string]> = [
    ["version", "", "version", "a non-empty string"],
    ["version", "  ", "version", "a non-empty string"],
    ["version", 1, "version", "a non-empty string"],
    ["timeout", 0, "timeout", "a finite duration > 0"],
    ["timeout", -1, "timeout", "a finite duration > 0"],
    ["timeout", Number.NaN, "timeout", "a finite duration > 0"],
    ["timeout", Number.POSITIVE_INFINITY, "timeout", "a finite duration > 0"],
    ["timeout", "5 parsecs", "timeout", "a finite duration > 0"],
    ["ttl", -1, "ttl", "a finite duration >= 0"],
    ["ttl", "Infinity", "ttl", "a finite duration >= 0"],
    ["ttl", Number.NaN, "ttl", "a finite duration >= 0"],
    ["concurrency", 0, "concurrency", "an integer >= 1"],
    ["concurrency", -1, "concurrency", "an integer >= 1"],
    ["concurrency", 1.5, "concurrency", "an integer >= 1"],
    ["concurrency", Number.NaN, "concurrency", "an integer >= 1"],
    ["concurrency", Number.POSITIVE_INFINITY, "concurrency", "an integer >= 1"],
    ["concurrency", "inherit", "concurrency", "an integer >= 1"],
    ["schedule", 0, "schedule", "a finite duration > 0"],
    ["schedule", "often", "schedule", "a finite duration > 0"],
    ["checks", { "": up }, "checks", "a non-empty string"],
    ["checks", { database: Effect.void }, "checks.database", "a check made by Health.check"],
    ["checks", { database: () => true }, "checks.database", "a check made by Health.check"],
    ["checks", { database: undefined }, "checks.database", "a check made by Health.check"]
  ]
  for (const [option, value, field, rule] of table) {
    it(`${option} ${JSON.stringify(value) ?? String(value)} is refused: ${rule}`, () => {
      const error = thrown(() => Health.layer({ [option]: value }))
      assert.deepStrictEqual([error.module, error.field, error.rule], ["Health", field, rule])
      if (option !== "checks") assert.deepStrictEqual(error.value, value)
    })
  }

  const waits: ReadonlyArray<[Record<string, unknown>, string, string]> = [
    [{ interval: 0 }, "interval", "a finite duration > 0"],
    [{ interval: Number.NaN }, "interval", "a finite duration > 0"],
    [{ timeout: 0 }, "timeout", "a finite duration > 0"],
    [{ timeout: "Infinity" }, "timeout", "a finite duration > 0"],
    [{ atLeast: "unhealthy" }, "atLeast", "healthy or degraded"]
  ]
  for (const [options, field, rule] of waits) {
    it(`waitUntilHealthy(${JSON.stringify(options)}) is refused: ${rule}`, () => {
      const error = thrown(() => Health.waitUntilHealthy(options))
      assert.deepStrictEqual([error.module, error.field, error.rule], ["Health", field, rule])
    })
  }

  for (const name of ["", " "]) {
    it(`register("${name}") is refused`, () => {
      const error = thrown(() => Health.register(name, up))
      assert.deepStrictEqual(
        [error.module, error.field, error.value, error.rule],
        ["Health", "name", name, "a non-empty string"]
      )
    })
  }
})

describe("Config", () => {
  it.effect("decodes options of the layer from JSON", () =>
    Effect.gen(function* () {
      const config = yield* Schema.decodeUnknownEffect(Health.Config)({
        version: "1.4.0",
        timeout: "300 millis",
        ttl: 500,
        concurrency: 4,
        schedule: "30 seconds"
      })
      yield* Effect.gen(function* () {
        const fiber = yield* fork(Health.report)
        yield* TestClock.adjust("300 millis")
        const report = yield* Fiber.join(fiber)
        assert.deepStrictEqual([report.version, report.checks[0]?.message], ["1.4.0", "no answer in 300ms"])
      }).pipe(provide(Health.layer({ ...config, checks: { hanging: Health.check(Effect.never) } })))
    })
  )

  it("describe names a schedule that is not a duration, and leaves out a ttl that depends on it", () => {
    assert.deepStrictEqual(Health.describe({ schedule: Schedule.recurs(3) }), {
      timeout: 5000,
      concurrency: "unbounded",
      schedule: "a schedule"
    })
  })

  it("an empty object is all defaults", () => {
    assert.deepStrictEqual(Schema.decodeUnknownSync(Health.Config)({}), {})
    assert.deepStrictEqual(Schema.decodeUnknownSync(Health.Config)({ concurrency: "unbounded" }), {
      concurrency: "unbounded"
    })
  })

  const table: ReadonlyArray<[unknown, string, RegExp]> = [
    [{ version: "" }, `["version"]`, /a non-empty string/],
    [{ version: 1 }, `["version"]`, /string/],
    [{ timeout: "0 seconds" }, `["timeout"]`, /a finite duration > 0/],
    [{ timeout: "5 parsecs" }, `["timeout"]`, /./],
    [{ ttl: -1 }, `["ttl"]`, /a finite duration >= 0/],
    [{ concurrency: 1.5 }, `["concurrency"]`, /an integer >= 1/],
    [{ concurrency: "some" }, `["concurrency"]`, /unbounded/],
    [{ schedule: 0 }, `["schedule"]`, /a finite duration > 0/],
    [{ checks: {} }, `["checks"]`, /unknown key/]
  ]
  for (const [json, path, rule] of table) {
    it(`${JSON.stringify(json)} is refused with its path`, () => {
      const exit = Schema.decodeUnknownExit(Health.Config)(json)
      const message = String(Exit.isFailure(exit) ? Cause.squash(exit.cause) : "")
      assert.include(message, path)
      assert.match(message, rule)
    })
  }
})
