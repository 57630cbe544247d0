import { assert, describe, it } from "@effect/vitest"
import { Context, DateTime, Duration, Effect, Exit, Fiber, Layer, Ref, Schema, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Health from "../../src/health/Health.ts"
import { counting, defect, down, fork, names, provide, refused, settable, up } from "../support/health.ts"

describe("a report", () => {
  it.effect("without checks is healthy", () =>
    Effect.gen(function* () {
      const report = yield* Health.report
      assert.strictEqual(report.status, "healthy")
      assert.deepStrictEqual(report.checks, [])
      assert.deepStrictEqual(Object.keys(report).sort(), ["checks", "status", "timestamp", "uptime"])
    }).pipe(provide(Health.layer()))
  )

  it.effect("a report has status, uptime and version, and status, message, latency and details of each check", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(2026, 10, 20, 12))
      const slow = Health.check(Effect.delay(Effect.succeed({ free: 3 }), "250 millis"))
      yield* Effect.gen(function* () {
        yield* TestClock.adjust("1 minute")
        const fiber = yield* fork(Health.report)
        yield* TestClock.adjust("250 millis")
        const report = yield* Fiber.join(fiber)
        assert.deepStrictEqual(yield* Schema.encodeEffect(Health.Report)(report), {
          status: "unhealthy",
          version: "1.4.0",
          uptime: 60_250,
          timestamp: "2026-11-20T12:01:00.250Z",
          checks: [
            {
              name: "disk",
              status: "healthy",
              critical: true,
              latency: 250,
              details: { free: 3 },
              checkedAt: "2026-11-20T12:01:00.250Z"
            },
            {
              name: "database",
              status: "unhealthy",
              critical: true,
              message: "connection refused",
              latency: 0,
              checkedAt: "2026-11-20T12:01:00.000Z"
            }
          ]
        })
      }).pipe(provide(Health.layer({ version: "1.4.0", checks: { disk: slow, database: refused } })))
    })
  )

  it.effect("diagnostic functions make a system report of healthy, degraded or failing", () =>
    Effect.gen(function* () {
      const database = settable(true)
      const cache = settable(true, { critical: false })
      yield* Effect.gen(function* () {
        assert.strictEqual((yield* Health.report).status, "healthy")
        yield* cache.set(false)
        assert.strictEqual((yield* Health.report).status, "degraded")
        yield* database.set(false)
        assert.strictEqual((yield* Health.report).status, "unhealthy")
        yield* database.set(Health.degraded("replica is behind"))
        yield* cache.set(true)
        assert.strictEqual((yield* Health.report).status, "degraded")
      }).pipe(provide(Health.layer({ checks: { database: database.check, cache: cache.check } })))
    })
  )

  it.effect("runs its checks at the same time and lists them in the order of registration", () =>
    Effect.gen(function* () {
      const checks = {
        slow: Health.check(Effect.sleep("3 seconds")),
        fast: Health.check(Effect.sleep("1 second")),
        middle: Health.check(Effect.sleep("2 seconds"))
      }
      yield* Effect.gen(function* () {
        yield* Health.register("later", up)
        const fiber = yield* fork(Health.report)
        yield* TestClock.adjust("3 seconds")
        const report = yield* Fiber.join(fiber)
        assert.deepStrictEqual(names(report), ["slow", "fast", "middle", "later"])
        assert.deepStrictEqual(
          report.checks.map((c) => Duration.toMillis(c.latency)),
          [3000, 1000, 2000, 0]
        )
      }).pipe(provide(Health.layer({ checks })))
    })
  )

  it.effect("a check of liveness does not wait for its turn", () =>
    Effect.gen(function* () {
      const readiness = yield* Effect.forkChild(Health.report, { startImmediately: true })
      const liveness = yield* Effect.forkChild(Health.run("alive"), { startImmediately: true })
      yield* TestClock.adjust(1)
      assert.isDefined(liveness.pollUnsafe())
      assert.isUndefined(readiness.pollUnsafe())
    }).pipe(
      Effect.provide(
        Health.layer({
          concurrency: 1,
          checks: {
            slow: Health.check(Effect.sleep("2 seconds")),
            alive: Health.check(Effect.void, { kinds: ["liveness"] })
          }
        })
      )
    )
  )

  it.effect("runs at most `concurrency` checks at the same time, whoever asks", () =>
    Effect.gen(function* () {
      const running = yield* Ref.make(0)
      const peak = yield* Ref.make(0)
      const check = Health.check(
        Effect.gen(function* () {
          const now = yield* Ref.updateAndGet(running, (n) => n + 1)
          yield* Ref.update(peak, (n) => Math.max(n, now))
          yield* Effect.sleep("1 second")
          yield* Ref.update(running, (n) => n - 1)
        })
      )
      yield* Effect.gen(function* () {
        const all = yield* fork(Health.report)
        const one = yield* fork(Health.run("e", { fresh: true }))
        yield* TestClock.adjust("3 seconds")
        const report = yield* Fiber.join(all)
        yield* Fiber.join(one)
        assert.strictEqual(yield* Ref.get(peak), 2)
        assert.strictEqual(report.status, "healthy")
        // Waiting for a turn is no part of the latency, nor of the timeout.
        assert.deepStrictEqual(
          report.checks.map((c) => Duration.toMillis(c.latency)),
          [1000, 1000, 1000, 1000, 1000]
        )
      }).pipe(
        provide(
          Health.layer({
            concurrency: 2,
            timeout: "1500 millis",
            checks: { a: check, b: check, c: check, d: check, e: check }
          })
        )
      )
    })
  )

  it.effect("a check sees the services with which the layer is built", () => {
    class Database extends Context.Service<Database, { readonly ping: Effect.Effect<string, string> }>()("Database") {}
    const checks = { database: Health.check(Database.use((database) => database.ping)) }
    return Effect.gen(function* () {
      assert.strictEqual((yield* Health.run("database")).message, "no route to host")
    }).pipe(
      provide(
        Health.layer({ checks }).pipe(Layer.provide(Layer.succeed(Database, { ping: Effect.fail("no route to host") })))
      )
    )
  })

  it.effect("a check sees nothing of the caller that asks", () => {
    const User = Context.Reference<string>("User", { defaultValue: () => "nobody" })
    const check = Health.check(Effect.map(User, (user) => ({ user })))
    return Effect.gen(function* () {
      const found = yield* Effect.provideService(Health.run("check"), User, "ann")
      assert.deepStrictEqual(found.details, { user: "nobody" })
    }).pipe(provide(Health.layer({ checks: { check } })))
  })

  it.effect("details that no JSON can hold do not make it fail", () =>
    Effect.gen(function* () {
      const circular: Record<string, unknown> = { n: 1n }
      circular["self"] = circular
      yield* Effect.gen(function* () {
        const json = yield* Schema.encodeEffect(Health.Report)(yield* Health.report)
        assert.deepStrictEqual(json.checks[0]?.details, { n: "1", self: "[circular]" })
        JSON.stringify(json)
      }).pipe(provide(Health.layer({ checks: { odd: Health.check(Effect.succeed(circular)) } })))
    })
  )

  it.effect("a wall clock that jumps changes neither uptime nor latency nor the age of a result", () =>
    Effect.gen(function* () {
      const { check, runs } = counting(Effect.sleep("1 second"))
      yield* TestClock.setTime(Date.UTC(2026, 10, 20))
      yield* Effect.gen(function* () {
        const first = yield* fork(Health.report)
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(first)
        yield* TestClock.setTime(Date.UTC(2020, 0, 1))
        const fiber = yield* fork(Health.report)
        yield* Effect.yieldNow
        assert.strictEqual(yield* runs, 1)
        const cached = yield* Fiber.join(fiber)
        assert.strictEqual(DateTime.formatIso(cached.timestamp), "2020-01-01T00:00:00.000Z")
      }).pipe(provide(Health.layer({ checks: { check }, ttl: "10 seconds" })))
    })
  )

  it.effect("a wall clock that jumps back does not keep the last result", () =>
    Effect.gen(function* () {
      const { check, runs } = counting()
      yield* TestClock.setTime(Date.UTC(2026, 10, 20))
      yield* Effect.gen(function* () {
        yield* Health.report
        yield* TestClock.setTime(Date.UTC(2020, 0, 1))
        yield* Health.report
        assert.strictEqual(yield* runs, 2)
      }).pipe(provide(Health.layer({ checks: { check } })))
    })
  )
})

describe("names", () => {
  const layer = Health.layer({
    checks: { database: up, cache: refused, self: Health.check(Effect.void, { kinds: ["liveness"] }) }
  })

  it.effect("run reports on one check", () =>
    Effect.gen(function* () {
      const check = yield* Health.run("cache")
      assert.deepStrictEqual([check.name, check.status, check.message], ["cache", "unhealthy", "connection refused"])
    }).pipe(provide(layer))
  )

  it.effect("an unknown name is an error with the names there are", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Health.run("databse"))
      assert.instanceOf(error, Health.UnknownCheckError)
      assert.strictEqual(error._tag, "UnknownCheckError")
      assert.strictEqual(error.check, "databse")
      assert.deepStrictEqual(error.known, ["database", "cache", "self"])
      assert.strictEqual(error.message, `No check is named "databse": there are database, cache, self`)
    }).pipe(provide(layer))
  )

  it.effect("an unknown name where nothing is registered says so", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Health.run("database"))
      assert.strictEqual(error.message, `No check is named "database": there are none`)
    }).pipe(provide(Health.layer()))
  )

  it.effect("only and exclude choose the checks", () =>
    Effect.gen(function* () {
      const only = yield* Health.reportFor({ only: ["self", "database"] })
      assert.deepStrictEqual([only.status, names(only)], ["healthy", ["database", "self"]])
      const exclude = yield* Health.reportFor({ exclude: ["cache"] })
      assert.deepStrictEqual([exclude.status, names(exclude)], ["healthy", ["database", "self"]])
      const both = yield* Health.reportFor({ only: ["database", "cache"], exclude: ["cache"] })
      assert.deepStrictEqual(names(both), ["database"])
      const none = yield* Health.reportFor({ only: [] })
      assert.deepStrictEqual([none.status, names(none)], ["healthy", []])
    }).pipe(provide(layer))
  )

  it.effect("a check that is left out is not run", () =>
    Effect.gen(function* () {
      const { check, runs } = counting()
      yield* Effect.gen(function* () {
        yield* Health.reportFor({ exclude: ["check"] })
        yield* Health.reportFor({ kind: "liveness" })
        assert.strictEqual(yield* runs, 0)
      }).pipe(provide(Health.layer({ checks: { check } })))
    })
  )

  it.effect("only refuses the name of a check of another kind, exclude accepts it", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Health.reportFor({ kind: "readiness", only: ["self"] }))
      assert.deepStrictEqual([error.check, error.known], ["self", ["database", "cache"]])
      const report = yield* Health.reportFor({ kind: "readiness", exclude: ["self"] })
      assert.deepStrictEqual(names(report), ["database", "cache"])
      assert.strictEqual((yield* Effect.flip(Health.reportFor({ exclude: ["x"] }))).check, "x")
    }).pipe(provide(layer))
  )
})

describe("kinds", () => {
  it.effect("by default a check counts for readiness and startup and not for liveness", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(names(yield* Health.reportFor({ kind: "readiness" })), ["database"])
      assert.deepStrictEqual(names(yield* Health.reportFor({ kind: "startup" })), ["database"])
      const liveness = yield* Health.reportFor({ kind: "liveness" })
      assert.deepStrictEqual([liveness.status, names(liveness)], ["healthy", []])
      assert.strictEqual((yield* Health.reportFor({ kind: "readiness" })).status, "unhealthy")
    }).pipe(provide(Health.layer({ checks: { database: down } })))
  )

  it.effect("a check counts for the kinds it names, and always for the report of all", () =>
    Effect.gen(function* () {
      const report = (kind: Health.Kind) => Effect.map(Health.reportFor({ kind }), names)
      assert.deepStrictEqual(yield* report("liveness"), ["loop", "all"])
      assert.deepStrictEqual(yield* report("readiness"), ["all"])
      assert.deepStrictEqual(yield* report("startup"), ["migrations", "all"])
      assert.deepStrictEqual(names(yield* Health.report), ["loop", "migrations", "all"])
    }).pipe(
      provide(
        Health.layer({
          checks: {
            loop: Health.check(Effect.void, { kinds: ["liveness"] }),
            migrations: Health.check(Effect.void, { kinds: ["startup"] }),
            all: Health.check(Effect.void, { kinds: ["liveness", "readiness", "startup"] })
          }
        })
      )
    )
  )

  it.effect("refuses an unknown kind", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Health.reportFor({ kind: "ready" as Health.Kind }))
      const error = defect(exit)
      assert.deepStrictEqual(
        [error.module, error.field, error.value, error.rule],
        ["Health", "kind", "ready", "one of liveness, readiness, startup"]
      )
    }).pipe(provide(Health.layer()))
  )

  it.effect("fresh must be true or false", () =>
    Effect.gen(function* () {
      const { field, module, rule, value } = defect(
        yield* Effect.exit(Health.reportFor({ fresh: "no" as unknown as boolean }))
      )
      assert.deepStrictEqual([module, field, value, rule], ["Health", "fresh", "no", "true or false"])
    }).pipe(provide(Health.layer()))
  )
})

describe("changes", () => {
  it.effect("says when the status of a check changes, and ends with the layer", () =>
    Effect.gen(function* () {
      const { check, set } = settable(true)
      const collected = yield* Effect.gen(function* () {
        const fiber = yield* fork(Stream.runCollect(Health.changes))
        yield* Health.report
        yield* Health.report
        yield* set(false)
        yield* Health.report
        yield* Health.report
        yield* set(Health.degraded("slow"))
        yield* Health.report
        return fiber
      }).pipe(provide(Health.layer({ checks: { check } })))
      const changes = yield* Fiber.join(collected)
      assert.deepStrictEqual(
        changes.map(({ name, from, to, check }) => [name, from, to, check.message]),
        [
          ["check", undefined, "healthy", undefined],
          ["check", "healthy", "unhealthy", "the check answered false"],
          ["check", "unhealthy", "degraded", "slow"]
        ]
      )
    })
  )

  it.effect("says nothing of a check that is removed or interrupted at the end of the layer", () =>
    Effect.gen(function* () {
      const collected = yield* Effect.gen(function* () {
        const fiber = yield* fork(Stream.runCollect(Health.changes))
        const scope = yield* Scope.make()
        yield* Health.register("removed", Health.check(Effect.never)).pipe(Scope.provide(scope))
        yield* fork(Effect.ignore(Health.reportFor({ only: ["removed"] })))
        yield* Scope.close(scope, Exit.void)
        yield* Effect.forkDetach(Health.reportFor({ only: ["hanging"] }), { startImmediately: true })
        return fiber
      }).pipe(provide(Health.layer({ checks: { hanging: Health.check(Effect.never) } })))
      assert.deepStrictEqual(yield* Fiber.join(collected), [])
    })
  )
})
