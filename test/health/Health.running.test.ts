import { assert, describe, it } from "@effect/vitest"
import { Clock, DateTime, Duration, Effect, Fiber, Latch, Logger, Ref, Schedule } from "effect"
import { TestClock } from "effect/testing"
import * as Health from "../../src/health/Health.ts"
import { counting, fork, names, provide, settable, statuses } from "../support/health.ts"

describe("timeout", () => {
  it.effect("each check has a timeout of its own, and no answer in it is unhealthy and interrupted", () =>
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
  it.effect("on schedule, a report is served from the last results", () =>
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
