import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Clock,
  Context,
  DateTime,
  Duration,
  Effect,
  Exit,
  Fiber,
  Latch,
  Layer,
  Logger,
  Ref,
  Schedule,
  Schema,
  Scope,
  Stream
} from "effect"
import { TestClock } from "effect/testing"
import * as Health from "../../src/health/Health.ts"
import { InvalidOptionError } from "../../src/core/Options.ts"

/** Check that counts its runs. */
const counting = (effect: Effect.Effect<unknown, unknown> = Effect.void, options?: Health.CheckOptions) => {
  const runs = Ref.makeUnsafe(0)
  return {
    runs: Ref.get(runs),
    check: Health.check(
      Effect.andThen(
        Ref.update(runs, (n) => n + 1),
        effect
      ),
      options
    )
  }
}

/** Check whose answer the test sets. */
const settable = (initial: unknown, options?: Health.CheckOptions) => {
  const answer = Ref.makeUnsafe(initial)
  return { set: (value: unknown) => Ref.set(answer, value), check: Health.check(Ref.get(answer), options) }
}

const up = Health.check(Effect.succeed(true))
const down = Health.check(Effect.succeed(false))
const refused = Health.check(Effect.fail("connection refused"))

const statuses = (report: Health.Report) => Object.fromEntries(report.checks.map((c) => [c.name, c.status]))
const names = (report: Health.Report) => report.checks.map((c) => c.name)

const provide = <R>(layer: Layer.Layer<Health.Health, never, R>) => Effect.provide(layer)

const fork = Effect.forkChild({ startImmediately: true })

describe("a report", () => {
  it.effect("without checks is healthy", () =>
    Effect.gen(function* () {
      const report = yield* Health.report
      assert.strictEqual(report.status, "healthy")
      assert.deepStrictEqual(report.checks, [])
      assert.deepStrictEqual(Object.keys(report).sort(), ["checks", "status", "timestamp", "uptime"])
    }).pipe(provide(Health.layer()))
  )

  it.effect("P2 health: run all, with status, uptime, version, and per check status, message, latency, details", () =>
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

  it.effect("P0 health: diagnostic functions make a system report of healthy, degraded or failing", () =>
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

describe("timeout", () => {
  it.effect("P2 health: each check has a timeout of its own, and no answer in it is unhealthy and interrupted", () =>
    Effect.gen(function* () {
      const interrupted = yield* Ref.make<ReadonlyArray<string>>([])
      const hanging = (name: string) =>
        Effect.onInterrupt(Effect.never, () => Ref.update(interrupted, (names) => [...names, name]))
      const checks = {
        own: Health.check(hanging("own"), { timeout: "2 seconds" }),
        fallback: Health.check(hanging("fallback"))
      }
      yield* Effect.gen(function* () {
        const fiber = yield* fork(Health.report)
        yield* TestClock.adjust("2 seconds")
        assert.deepStrictEqual(yield* Ref.get(interrupted), ["own"])
        yield* TestClock.adjust("2999 millis")
        assert.deepStrictEqual(yield* Ref.get(interrupted), ["own"])
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust("1 milli")
        const report = yield* Fiber.join(fiber)
        assert.deepStrictEqual(yield* Ref.get(interrupted), ["own", "fallback"])
        assert.deepStrictEqual(
          report.checks.map((c) => [c.status, c.message, Duration.toMillis(c.latency)]),
          [
            ["unhealthy", "no answer in 2s", 2000],
            ["unhealthy", "no answer in 5s", 5000]
          ]
        )
      }).pipe(provide(Health.layer({ checks })))
    })
  )

  it.effect("is measured by the clock of the layer, whoever asks", () =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const stopped: Clock.Clock = {
        ...clock,
        sleep: () => Effect.never,
        monotonicTimeNanosUnsafe: () => 0n,
        currentTimeMillisUnsafe: () => 0
      }
      const fiber = yield* fork(Effect.provideService(Health.report, Clock.Clock, stopped))
      yield* TestClock.adjust("5 seconds")
      const report = yield* Fiber.join(fiber)
      assert.deepStrictEqual(
        report.checks.map((c) => [c.message, Duration.toMillis(c.latency)]),
        [
          ["no answer in 5s", 5000],
          [undefined, 1000]
        ]
      )
      assert.strictEqual(Duration.toMillis(report.uptime), 5000)
    }).pipe(
      provide(
        Health.layer({ checks: { hanging: Health.check(Effect.never), slow: Health.check(Effect.sleep("1 second")) } })
      )
    )
  )

  it.effect("that of the layer holds for checks without one", () =>
    Effect.gen(function* () {
      const fiber = yield* fork(Health.run("hanging"))
      yield* TestClock.adjust("300 millis")
      assert.strictEqual((yield* Fiber.join(fiber)).message, "no answer in 300ms")
    }).pipe(provide(Health.layer({ timeout: "300 millis", checks: { hanging: Health.check(Effect.never) } })))
  )

  it.effect("an answer just before it counts", () =>
    Effect.gen(function* () {
      const fiber = yield* fork(Health.run("slow"))
      yield* TestClock.adjust("1999 millis")
      assert.strictEqual((yield* Fiber.join(fiber)).status, "healthy")
    }).pipe(
      provide(Health.layer({ checks: { slow: Health.check(Effect.sleep("1999 millis"), { timeout: "2 seconds" }) } }))
    )
  )

  it.effect("a check whose interruption hangs does not hang the report, and is not run twice at a time", () =>
    Effect.gen(function* () {
      const release = yield* Latch.make()
      const { check, runs } = counting(
        Effect.onInterrupt(Effect.never, () => release.await),
        { timeout: "1 second" }
      )
      yield* Effect.gen(function* () {
        const first = yield* fork(Health.report)
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Fiber.join(first)).checks[0]?.message, "no answer in 1s")

        const second = yield* fork(Health.report)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(
          (yield* Fiber.join(second)).checks[0]?.message,
          "no answer in 1s, an earlier run has not ended"
        )
        assert.strictEqual(yield* runs, 1)

        const third = yield* fork(Health.report)
        yield* release.open
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Fiber.join(third)).checks[0]?.message, "no answer in 1s")
        assert.strictEqual(yield* runs, 2)
      }).pipe(provide(Health.layer({ checks: { check } })))
    })
  )

  it.effect("an earlier run that ends in time gives way to a new one", () =>
    Effect.gen(function* () {
      const first = yield* Ref.make(true)
      const check = Health.check(
        Effect.flatMap(Ref.getAndSet(first, false), (isFirst) =>
          isFirst ? Effect.onInterrupt(Effect.never, () => Effect.sleep("200 millis")) : Effect.succeed(true)
        ),
        { timeout: "1 second" }
      )
      yield* Effect.gen(function* () {
        const hung = yield* fork(Health.report)
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Fiber.join(hung)).status, "unhealthy")
        const next = yield* fork(Health.report)
        yield* TestClock.adjust("200 millis")
        const report = yield* Fiber.join(next)
        assert.strictEqual(report.status, "healthy")
        assert.strictEqual(Duration.toMillis(report.checks[0]?.latency ?? "1 hour"), 0)
      }).pipe(provide(Health.layer({ checks: { check } })))
    })
  )

  it.effect("an answer that comes after it changes nothing", () =>
    Effect.gen(function* () {
      const check = Health.check(Effect.uninterruptible(Effect.sleep("2 seconds")), { timeout: "1 second" })
      yield* Effect.gen(function* () {
        const fiber = yield* fork(Health.report)
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Fiber.join(fiber)).status, "unhealthy")
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Health.report).status, "unhealthy")
      }).pipe(provide(Health.layer({ checks: { check }, ttl: "10 seconds" })))
    })
  )

  it.effect("a check that is interrupted from inside is unhealthy", () =>
    Effect.gen(function* () {
      const report = yield* Health.report
      assert.deepStrictEqual(
        report.checks.map((c) => [c.status, c.message]),
        [["unhealthy", "interrupted"]]
      )
    }).pipe(provide(Health.layer({ checks: { odd: Health.check(Effect.interrupt) } })))
  )
})

describe("one flight", () => {
  it.effect("concurrent callers share one run of a check", () =>
    Effect.gen(function* () {
      const { check, runs } = counting(Effect.sleep("1 second"))
      yield* Effect.gen(function* () {
        const callers = [
          yield* fork(Effect.asVoid(Health.report)),
          yield* fork(Effect.asVoid(Health.reportFor({ kind: "readiness" }))),
          yield* fork(Effect.asVoid(Health.run("check"))),
          yield* fork(Effect.asVoid(Health.run("check", { fresh: true })))
        ]
        yield* TestClock.adjust("1 second")
        yield* Fiber.joinAll(callers)
        assert.strictEqual(yield* runs, 1)
        yield* fork(Health.report)
        assert.strictEqual(yield* runs, 2)
      }).pipe(provide(Health.layer({ checks: { check } })))
    })
  )

  it.effect("a caller that is interrupted does not take the run from the others", () =>
    Effect.gen(function* () {
      const { check, runs } = counting(Effect.sleep("1 second"))
      yield* Effect.gen(function* () {
        const first = yield* fork(Health.report)
        const second = yield* fork(Health.report)
        yield* TestClock.adjust("500 millis")
        yield* Fiber.interrupt(first)
        yield* TestClock.adjust("500 millis")
        assert.strictEqual((yield* Fiber.join(second)).status, "healthy")
        assert.strictEqual(yield* runs, 1)
      }).pipe(provide(Health.layer({ checks: { check } })))
    })
  )

  it.effect("ends with its last caller, and the next caller starts another", () =>
    Effect.gen(function* () {
      const interrupted = yield* Ref.make(0)
      const { check, runs } = counting(
        Effect.onInterrupt(Effect.sleep("1 second"), () => Ref.update(interrupted, (n) => n + 1))
      )
      yield* Effect.gen(function* () {
        const callers = [yield* fork(Health.report), yield* fork(Health.report)]
        yield* TestClock.adjust("500 millis")
        yield* Fiber.interruptAll(callers)
        assert.strictEqual(yield* Ref.get(interrupted), 1)
        const next = yield* fork(Health.report)
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Fiber.join(next)).status, "healthy")
        assert.strictEqual(yield* runs, 2)
      }).pipe(provide(Health.layer({ checks: { check } })))
    })
  )

  it.effect("a last caller that is interrupted does not wait for a check whose interruption hangs", () =>
    Effect.gen(function* () {
      const release = yield* Latch.make()
      const check = Health.check(Effect.onInterrupt(Effect.never, () => release.await))
      yield* Effect.gen(function* () {
        const caller = yield* fork(Health.report)
        yield* Fiber.interrupt(caller)
        assert.isDefined(caller.pollUnsafe())
        yield* release.open
      }).pipe(provide(Health.layer({ checks: { check } })))
    })
  )

  it.effect("10 000 callers share one run", () =>
    Effect.gen(function* () {
      const { check, runs } = counting(Effect.sleep("1 second"))
      yield* Effect.gen(function* () {
        const callers = yield* Effect.forEach(Array.from({ length: 10_000 }), () => fork(Health.report))
        yield* TestClock.adjust("1 second")
        const reports = yield* Effect.forEach(callers, Fiber.join)
        assert.isTrue(reports.every((report) => report.status === "healthy"))
        assert.strictEqual(yield* runs, 1)
      }).pipe(provide(Health.layer({ checks: { check } })))
    })
  )
})

describe("ttl", () => {
  it.effect("by default each report runs its checks", () =>
    Effect.gen(function* () {
      const { check, runs } = counting()
      yield* Effect.gen(function* () {
        yield* Health.report
        yield* Health.report
        assert.strictEqual(yield* runs, 2)
      }).pipe(provide(Health.layer({ checks: { check } })))
    })
  )

  it.effect("a younger result is used again by every kind of report, and runs again at that age", () =>
    Effect.gen(function* () {
      const { check, runs } = counting()
      yield* Effect.gen(function* () {
        const first = yield* Health.reportFor({ kind: "readiness" })
        yield* TestClock.adjust("9999 millis")
        const second = yield* Health.report
        yield* Health.run("check")
        assert.strictEqual(yield* runs, 1)
        assert.deepStrictEqual(second.checks, first.checks)
        assert.isTrue(DateTime.isLessThan(first.timestamp, second.timestamp))
        yield* TestClock.adjust("1 milli")
        yield* Health.report
        assert.strictEqual(yield* runs, 2)
      }).pipe(provide(Health.layer({ checks: { check }, ttl: "10 seconds" })))
    })
  )

  it.effect("an unhealthy result is used again too", () =>
    Effect.gen(function* () {
      const { check, set } = settable(false)
      yield* Effect.gen(function* () {
        yield* Health.report
        yield* set(true)
        assert.strictEqual((yield* Health.report).status, "unhealthy")
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual((yield* Health.report).status, "healthy")
      }).pipe(provide(Health.layer({ checks: { check }, ttl: "10 seconds" })))
    })
  )

  it.effect("that of a check stands before that of the layer", () =>
    Effect.gen(function* () {
      const expensive = counting(Effect.void, { ttl: "1 minute" })
      const cheap = counting(Effect.void, { ttl: 0 })
      const plain = counting()
      yield* Effect.gen(function* () {
        yield* Health.report
        yield* TestClock.adjust("30 seconds")
        yield* Health.report
        yield* Health.report
        assert.deepStrictEqual([yield* expensive.runs, yield* cheap.runs, yield* plain.runs], [1, 3, 2])
      }).pipe(
        provide(
          Health.layer({
            ttl: "10 seconds",
            checks: { expensive: expensive.check, cheap: cheap.check, plain: plain.check }
          })
        )
      )
    })
  )

  it.effect("`fresh` runs a check whatever the age of its result, and its result is used from then on", () =>
    Effect.gen(function* () {
      const { check, set } = settable(false)
      yield* Effect.gen(function* () {
        yield* Health.report
        yield* set(true)
        assert.strictEqual((yield* Health.reportFor({ fresh: true })).status, "healthy")
        yield* set(false)
        assert.strictEqual((yield* Health.report).status, "healthy")
        assert.strictEqual((yield* Health.run("check", { fresh: true })).status, "unhealthy")
        assert.strictEqual((yield* Health.run("check")).status, "unhealthy")
      }).pipe(provide(Health.layer({ checks: { check }, ttl: "10 seconds" })))
    })
  )
})

describe("schedule", () => {
  it.effect("P0 health: on schedule, a report is served from the last results", () =>
    Effect.gen(function* () {
      const { check, runs } = counting()
      yield* Effect.gen(function* () {
        yield* TestClock.adjust(0)
        assert.strictEqual(yield* runs, 1)
        yield* Health.report
        yield* TestClock.adjust("29 seconds")
        yield* Health.report
        assert.strictEqual(yield* runs, 1)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* runs, 2)
        yield* Health.report
        yield* TestClock.adjust("30 seconds")
        assert.strictEqual(yield* runs, 3)
      }).pipe(provide(Health.layer({ checks: { check }, schedule: "30 seconds" })))
    })
  )

  it.effect("the checks of a round run at the same time", () =>
    Effect.gen(function* () {
      const first = counting(Effect.sleep("3 seconds"))
      const second = counting(Effect.sleep("3 seconds"))
      yield* Effect.gen(function* () {
        yield* TestClock.adjust("3 seconds")
        const report = yield* Health.report
        assert.deepStrictEqual(statuses(report), { first: "healthy", second: "healthy" })
        assert.deepStrictEqual([yield* first.runs, yield* second.runs], [1, 1])
      }).pipe(provide(Health.layer({ checks: { first: first.check, second: second.check }, schedule: "30 seconds" })))
    })
  )

  it.effect("a report before the first round joins it", () =>
    Effect.gen(function* () {
      const { check, runs } = counting(Effect.sleep("1 second"))
      yield* Effect.gen(function* () {
        const fiber = yield* fork(Health.report)
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Fiber.join(fiber)).status, "healthy")
        assert.strictEqual(yield* runs, 1)
      }).pipe(provide(Health.layer({ checks: { check }, schedule: "30 seconds" })))
    })
  )

  it.effect("a check registered later is run when it is first asked for, then in the rounds", () =>
    Effect.gen(function* () {
      const { check, runs } = counting()
      yield* Effect.gen(function* () {
        yield* TestClock.adjust("1 second")
        yield* Health.register("later", check)
        assert.deepStrictEqual(names(yield* Health.report), ["later"])
        yield* Health.report
        assert.strictEqual(yield* runs, 1)
        yield* TestClock.adjust("29 seconds")
        assert.strictEqual(yield* runs, 2)
      }).pipe(provide(Health.layer({ schedule: "30 seconds" })))
    })
  )

  it.effect("a ttl beside it bounds the age of what a report shows", () =>
    Effect.gen(function* () {
      const { check, runs } = counting()
      yield* Effect.gen(function* () {
        yield* TestClock.adjust("10 seconds")
        yield* Health.report
        assert.strictEqual(yield* runs, 2)
      }).pipe(provide(Health.layer({ checks: { check }, schedule: "30 seconds", ttl: "10 seconds" })))
    })
  )

  it.effect("where a schedule ends, reports run the checks again", () =>
    Effect.gen(function* () {
      const { check, runs } = counting()
      yield* Effect.gen(function* () {
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* runs, 2)
        yield* TestClock.adjust("1 hour")
        assert.strictEqual(yield* runs, 2)
        yield* Health.report
        yield* Health.report
        assert.strictEqual(yield* runs, 4)
      }).pipe(
        provide(Health.layer({ checks: { check }, schedule: Schedule.upTo(Schedule.spaced("1 second"), { times: 1 }) }))
      )
    })
  )

  it.effect("a schedule that dies is logged, and reports run the checks again", () =>
    Effect.gen(function* () {
      const logs: Array<unknown> = []
      const { check, runs } = counting()
      const dying = Schedule.tap(Schedule.spaced("1 second"), () => Effect.die("broken"))
      yield* Effect.gen(function* () {
        yield* TestClock.adjust("1 second")
        const before = yield* runs
        yield* Health.report
        assert.strictEqual(yield* runs, before + 1)
        assert.isTrue(logs.some((message) => String(message).includes("no longer scheduled")))
      }).pipe(
        provide(Health.layer({ checks: { check }, schedule: dying })),
        Effect.provide(Logger.layer([Logger.make(({ message }) => logs.push(message))]))
      )
    })
  )

  it.effect("the rounds end with the layer", () =>
    Effect.gen(function* () {
      const { check, runs } = counting()
      yield* TestClock.adjust("30 seconds").pipe(provide(Health.layer({ checks: { check }, schedule: "30 seconds" })))
      assert.strictEqual(yield* runs, 2)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* runs, 2)
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

describe("register", () => {
  it.effect("P0 health: one application-wide instance with which all components register", () =>
    Effect.gen(function* () {
      const component = (name: string, check: Health.Check) => Layer.effectDiscard(Health.register(name, check))
      const components = Layer.mergeAll(component("orders", up), component("mail", down))
      const report = yield* Effect.provide(
        Health.report,
        components.pipe(Layer.provideMerge(Health.layer({ checks: { database: up } })))
      )
      assert.deepStrictEqual(statuses(report), { database: "healthy", orders: "healthy", mail: "unhealthy" })
    })
  )

  it.effect("a check is there until its scope closes", () =>
    Effect.gen(function* () {
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* Health.register("queue", down)
          assert.deepStrictEqual(statuses(yield* Health.report), { queue: "unhealthy" })
        })
      )
      assert.deepStrictEqual(names(yield* Health.report), [])
      assert.strictEqual((yield* Effect.flip(Health.run("queue"))).check, "queue")
      yield* Health.register("queue", up)
      assert.deepStrictEqual(statuses(yield* Health.report), { queue: "healthy" })
    }).pipe(provide(Health.layer()))
  )

  it.effect("a check sees the services of the caller", () => {
    class Queue extends Context.Service<Queue, { readonly depth: number }>()("Queue") {}
    return Effect.gen(function* () {
      yield* Health.register("queue", Health.check(Effect.map(Queue, ({ depth }) => ({ depth })))).pipe(
        Effect.provideService(Queue, { depth: 3 })
      )
      assert.deepStrictEqual((yield* Health.run("queue")).details, { depth: 3 })
    }).pipe(provide(Health.layer()))
  })

  for (const where of ["the layer's", "a registered one's"]) {
    it.effect(`a name that is ${where} is refused, and the first check stays`, () =>
      Effect.gen(function* () {
        if (where !== "the layer's") yield* Health.register("database", up)
        const exit = yield* Effect.exit(Effect.scoped(Health.register("database", down)))
        const error = defect(exit)
        assert.deepStrictEqual(
          [error.module, error.field, error.value, error.rule],
          ["Health", "name", "database", "a name that is not taken"]
        )
        assert.deepStrictEqual(statuses(yield* Health.report), { database: "healthy" })
      }).pipe(provide(Health.layer(where === "the layer's" ? { checks: { database: up } } : {})))
    )
  }

  it.effect("of two fibers that register one name at the same time, one is refused", () =>
    Effect.gen(function* () {
      const exits = yield* Effect.forEach(
        Array.from({ length: 50 }),
        () => Effect.exit(Effect.andThen(Effect.yieldNow, Health.register("queue", up))),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(exits.filter(Exit.isSuccess).length, 1)
      assert.deepStrictEqual(names(yield* Health.report), ["queue"])
    }).pipe(provide(Health.layer()))
  )

  it.effect("a check that is removed while it runs is interrupted, and left out of the report", () =>
    Effect.gen(function* () {
      const ended = yield* Ref.make<ReadonlyArray<string>>([])
      const note = (what: string) => Ref.update(ended, (list) => [...list, what])
      const scope = yield* Scope.make()
      yield* Effect.addFinalizer(() => note("pool closed")).pipe(Scope.provide(scope))
      yield* Health.register(
        "pool",
        Health.check(Effect.onInterrupt(Effect.never, () => note("check interrupted")))
      ).pipe(Scope.provide(scope))
      const report = yield* fork(Health.report)
      const run = yield* fork(Effect.flip(Health.run("pool")))
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* Ref.get(ended), ["check interrupted", "pool closed"])
      const { status, checks } = yield* Fiber.join(report)
      assert.deepStrictEqual([status, checks.map((c) => c.name)], ["healthy", ["up"]])
      assert.strictEqual((yield* Fiber.join(run))._tag, "UnknownCheckError")
    }).pipe(provide(Health.layer({ checks: { up } })))
  )

  it.effect("a check that runs when the layer closes is interrupted, and so is one that is asked for later", () =>
    Effect.gen(function* () {
      const interrupted = yield* Ref.make(false)
      const { check, runs } = counting(Effect.onInterrupt(Effect.never, () => Ref.set(interrupted, true)))
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Health.layer({ checks: { check } }), scope)
      const caller = yield* fork(Effect.provideContext(Health.report, context))
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(yield* Ref.get(interrupted))
      const late = yield* Effect.provideContext(Health.report, context)
      for (const report of [yield* Fiber.join(caller), late]) {
        assert.strictEqual(report.status, "unhealthy")
        assert.strictEqual(report.checks[0]?.message, "interrupted")
      }
      assert.strictEqual(yield* runs, 1)
    })
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

  it.effect("a kind that is none is refused", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Health.reportFor({ kind: "ready" as Health.Kind }))
      const error = defect(exit)
      assert.deepStrictEqual(
        [error.module, error.field, error.value, error.rule],
        ["Health", "kind", "ready", "one of liveness, readiness, startup"]
      )
    }).pipe(provide(Health.layer()))
  )
})

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

const thrown = (f: () => unknown): InvalidOptionError => {
  try {
    f()
  } catch (error) {
    if (error instanceof InvalidOptionError) return error
    throw error
  }
  throw new Error("nothing was thrown")
}

const defect = (exit: Exit.Exit<unknown, unknown>): InvalidOptionError => {
  if (Exit.isFailure(exit)) {
    const reason = exit.cause.reasons[0]
    if (reason !== undefined && Cause.isDieReason(reason) && reason.defect instanceof InvalidOptionError) {
      return reason.defect
    }
  }
  throw new Error(`expected an InvalidOptionError as a defect, got ${String(exit)}`)
}
