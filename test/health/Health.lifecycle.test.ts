import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Ref, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Health from "../../src/health/Health.ts"
import { counting, down, fork, names, provide, refused, settable, statuses, up } from "../support/health.ts"

describe("startup", () => {
  it.effect("stays healthy once all its checks have been healthy once, also at different times", () =>
    Effect.gen(function* () {
      const a = settable(false)
      const b = settable(true)
      const startup = Effect.map(Health.reportFor({ kind: "startup" }), (report) => report.status)
      yield* Effect.gen(function* () {
        assert.strictEqual(yield* startup, "unhealthy")
        yield* b.set(false)
        assert.strictEqual(yield* startup, "unhealthy")
        yield* a.set(true)
        assert.strictEqual(yield* startup, "healthy")
        yield* a.set(false)
        assert.strictEqual(yield* startup, "healthy")
        assert.strictEqual((yield* Health.reportFor({ kind: "readiness" })).status, "unhealthy")
        yield* Health.register("late", down)
        const report = yield* Health.reportFor({ kind: "startup" })
        assert.deepStrictEqual([report.status, names(report)], ["healthy", ["a", "b"]])
      }).pipe(provide(Health.layer({ checks: { a: a.check, b: b.check } })))
    })
  )

  it.effect("does not run a check again that has been healthy once, whoever asked", () =>
    Effect.gen(function* () {
      const { check, runs } = counting()
      yield* Effect.gen(function* () {
        yield* Health.reportFor({ kind: "readiness" })
        yield* Health.reportFor({ kind: "startup" })
        yield* Health.reportFor({ kind: "startup", fresh: true })
        assert.strictEqual(yield* runs, 1)
      }).pipe(provide(Health.layer({ checks: { check, down } })))
    })
  )

  it.effect("is not over while a check is degraded, or was only left out", () =>
    Effect.gen(function* () {
      const { check, set } = settable(Health.degraded("cold"))
      yield* Effect.gen(function* () {
        assert.strictEqual((yield* Health.reportFor({ kind: "startup" })).status, "degraded")
        assert.strictEqual((yield* Health.reportFor({ kind: "startup", only: ["up"] })).status, "healthy")
        assert.strictEqual((yield* Health.reportFor({ kind: "startup", exclude: ["check"] })).status, "healthy")
        yield* set(false)
        assert.strictEqual((yield* Health.reportFor({ kind: "startup" })).status, "unhealthy")
      }).pipe(provide(Health.layer({ checks: { check, up } })))
    })
  )

  it.effect("is not over because nothing is registered yet", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* Health.reportFor({ kind: "startup" })).status, "healthy")
      yield* Health.register("late", down)
      assert.strictEqual((yield* Health.reportFor({ kind: "startup" })).status, "unhealthy")
    }).pipe(provide(Health.layer()))
  )
})

describe("drain", () => {
  const readiness = Health.reportFor({ kind: "readiness" })

  it.effect("turns readiness off with a message, leaves liveness and startup alone, and is taken back", () =>
    Effect.gen(function* () {
      assert.isFalse(yield* Health.isDraining)
      yield* Health.drain
      assert.isTrue(yield* Health.isDraining)
      const draining = yield* readiness
      assert.deepStrictEqual([draining.status, draining.message], ["unhealthy", "draining"])
      const all = yield* Health.report
      assert.deepStrictEqual([all.status, all.message, statuses(all)], ["unhealthy", "draining", { up: "healthy" }])
      for (const kind of ["liveness", "startup"] as const) {
        const other = yield* Health.reportFor({ kind })
        assert.deepStrictEqual([other.status, other.message], ["healthy", undefined])
      }
      yield* Health.undrain
      assert.isFalse(yield* Health.isDraining)
      const undrained = yield* readiness
      assert.deepStrictEqual([undrained.status, undrained.message], ["healthy", undefined])
    }).pipe(
      provide(
        Health.layer({ checks: { up: Health.check(Effect.void, { kinds: ["liveness", "readiness", "startup"] }) } })
      )
    )
  )

  it.effect("readiness answers at once, without running a check, and shows the last results", () =>
    Effect.gen(function* () {
      const { check, runs } = counting(Effect.sleep("1 second"))
      yield* Effect.gen(function* () {
        const first = yield* fork(readiness)
        yield* TestClock.adjust("1 second")
        const before = yield* Fiber.join(first)
        yield* Health.register("never asked", up)
        yield* Health.drain
        const draining = yield* readiness
        assert.strictEqual(yield* runs, 1)
        assert.deepStrictEqual(draining.checks[0], before.checks[0])
        assert.deepStrictEqual(
          [draining.checks[1]?.name, draining.checks[1]?.status, draining.checks[1]?.message],
          ["never asked", "unhealthy", "not run yet"]
        )
      }).pipe(provide(Health.layer({ checks: { check } })))
    })
  )

  it.effect("a readiness report under way when it begins is unhealthy", () =>
    Effect.gen(function* () {
      const fiber = yield* fork(readiness)
      yield* Health.drain
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(fiber)).message, "draining")
    }).pipe(provide(Health.layer({ checks: { slow: Health.check(Effect.sleep("1 second")) } })))
  )

  it.effect("scoped, it lasts until the last scope closes, whatever undrain says", () =>
    Effect.gen(function* () {
      const outer = yield* Scope.make()
      yield* Scope.provide(Health.drainScoped, outer)
      yield* Effect.scoped(Health.drainScoped)
      assert.isTrue(yield* Health.isDraining)
      yield* Health.undrain
      assert.isTrue(yield* Health.isDraining)
      yield* Health.drain
      yield* Scope.close(outer, Exit.void)
      assert.isTrue(yield* Health.isDraining)
      yield* Health.undrain
      assert.isFalse(yield* Health.isDraining)
    }).pipe(provide(Health.layer()))
  )
})

describe("waitUntilHealthy", () => {
  it.effect("asks at the interval until a report is healthy, and returns it", () =>
    Effect.gen(function* () {
      const { check, runs } = counting(
        Effect.flatMap(
          Effect.clockWith((clock) => clock.currentTimeMillis),
          (now) => (now >= 3000 ? Effect.void : Effect.fail("warming up"))
        )
      )
      yield* Effect.gen(function* () {
        const fiber = yield* fork(Health.waitUntilHealthy())
        yield* TestClock.adjust("2999 millis")
        assert.isUndefined(fiber.pollUnsafe())
        assert.strictEqual(yield* runs, 3)
        yield* TestClock.adjust("1 milli")
        assert.strictEqual((yield* Fiber.join(fiber)).status, "healthy")
        assert.strictEqual(yield* runs, 4)
      }).pipe(provide(Health.layer({ checks: { check }, ttl: "1 hour" })))
    })
  )

  it.effect("returns at once where the report is healthy", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* Health.waitUntilHealthy({ timeout: "1 second" })).status, "healthy")
    }).pipe(provide(Health.layer({ checks: { up } })))
  )

  it.effect("fails after its timeout with the last report", () =>
    Effect.gen(function* () {
      const fiber = yield* fork(Effect.flip(Health.waitUntilHealthy({ interval: "1 second", timeout: "5 seconds" })))
      yield* TestClock.adjust("4999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 milli")
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error._tag, "NotHealthyError")
      if (error._tag !== "NotHealthyError") return
      assert.strictEqual(error.message, "unhealthy after 5s: database: connection refused; cache: slow")
      assert.strictEqual(Duration.toMillis(error.after), 5000)
      assert.strictEqual(error.report.status, "unhealthy")
      assert.strictEqual(Duration.toMillis(error.report.uptime), 4000)
    }).pipe(
      provide(
        Health.layer({
          checks: { database: refused, cache: Health.check(Effect.succeed(Health.degraded("slow"))), up }
        })
      )
    )
  )

  it.effect("fails in time where no report was complete, and says who did not answer", () =>
    Effect.gen(function* () {
      const first = yield* Ref.make(true)
      const stuck = Health.check(
        Effect.flatMap(Ref.getAndSet(first, false), (isFirst) => (isFirst ? Effect.void : Effect.never))
      )
      yield* Effect.gen(function* () {
        yield* Health.report
        yield* TestClock.adjust("1 second")
        const fiber = yield* fork(Effect.flip(Health.waitUntilHealthy({ timeout: "2 seconds" })))
        yield* TestClock.adjust("2 seconds")
        const error = yield* Fiber.join(fiber)
        assert.strictEqual(error.message, "unhealthy after 2s: stuck: no answer in 2s")
        if (error._tag === "NotHealthyError") {
          assert.deepStrictEqual(statuses(error.report), { stuck: "unhealthy", up: "healthy" })
        }
      }).pipe(provide(Health.layer({ checks: { stuck, up } })))
    })
  )

  it.effect("waits for the named checks or a kind only", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(names(yield* Health.waitUntilHealthy({ only: ["up"] })), ["up"])
      assert.deepStrictEqual(names(yield* Health.waitUntilHealthy({ exclude: ["down"] })), ["up"])
      assert.deepStrictEqual(names(yield* Health.waitUntilHealthy({ kind: "liveness" })), [])
      assert.strictEqual((yield* Effect.flip(Health.waitUntilHealthy({ only: ["x"] })))._tag, "UnknownCheckError")
    }).pipe(provide(Health.layer({ checks: { up, down } })))
  )

  it.effect("waits while the service is draining", () =>
    Effect.gen(function* () {
      yield* Health.drain
      const fiber = yield* fork(Health.waitUntilHealthy({ kind: "readiness" }))
      yield* TestClock.adjust("10 seconds")
      assert.isUndefined(fiber.pollUnsafe())
      const late = yield* fork(Effect.flip(Health.waitUntilHealthy({ timeout: "500 millis" })))
      yield* TestClock.adjust("500 millis")
      assert.strictEqual((yield* Fiber.join(late)).message, "unhealthy after 500ms: draining")
      yield* Health.undrain
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(fiber)).status, "healthy")
    }).pipe(provide(Health.layer({ checks: { up } })))
  )

  it.effect("degraded is enough only where it is asked for", () =>
    Effect.gen(function* () {
      const options = { timeout: "1 second" } as const
      assert.strictEqual((yield* Health.waitUntilHealthy({ ...options, atLeast: "degraded" })).status, "degraded")
      assert.strictEqual(
        (yield* Health.waitUntilHealthy({ ...options, atLeast: "degraded", exclude: ["cache"] })).status,
        "healthy"
      )
      const fiber = yield* fork(Effect.flip(Health.waitUntilHealthy(options)))
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(fiber)).message, "degraded after 1s: cache: cold")
    }).pipe(provide(Health.layer({ checks: { cache: Health.check(Effect.succeed(Health.degraded("cold"))) } })))
  )
})
