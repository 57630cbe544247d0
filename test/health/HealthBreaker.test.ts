import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as Health from "../../src/health/Health.ts"
import { InvalidOptionError } from "../../src/core/Options.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"

const options: CircuitBreaker.Options = { trip: TripPolicy.consecutive(1), openFor: "30 seconds", log: false }

const fail = <I = never>(source: CircuitBreaker.Source<I>, key?: string) =>
  Effect.fail("unavailable").pipe(CircuitBreaker.protect(source, { key }), Effect.ignore)

const succeed = <I = never>(source: CircuitBreaker.Source<I>, key?: string) =>
  Effect.void.pipe(CircuitBreaker.protect(source, { key }), Effect.ignore)

/** What the check of a breaker says now. */
const ask = <I = never>(source: CircuitBreaker.Source<I>, options?: Health.BreakerOptions) =>
  Effect.map(
    Effect.provide(Health.run("b"), Health.layer({ checks: { b: Health.fromBreaker(source, options) } })),
    ({ details, message, status }) => ({ status, message, details: details as Record<string, Schema.Json> })
  )

const said = <I = never>(source: CircuitBreaker.Source<I>, options?: Health.BreakerOptions) =>
  Effect.map(ask(source, options), ({ message, status }) => [status, message])

/** Why the circuit is not closed. */
const reasonOf = <I = never>(source: CircuitBreaker.Source<I>, key?: string) =>
  Effect.map(CircuitBreaker.status(source, { key }), ({ state }) => ("reason" in state ? state.reason : undefined))

describe("fromBreaker", () => {
  it.effect("an open breaker degrades the report, with its reason", () => {
    class Payments extends CircuitBreaker.Service<Payments>()("payments", options) {}
    return Effect.gen(function* () {
      assert.strictEqual((yield* Health.report).status, "healthy")
      yield* fail(Payments)
      yield* succeed(Payments)
      const report = yield* Health.report
      assert.strictEqual(report.status, "degraded")
      const json = yield* Schema.encodeEffect(Health.Report)(report)
      assert.deepStrictEqual(
        [json.checks[0]?.name, json.checks[0]?.critical, json.checks[0]?.message, json.checks[0]?.details],
        [
          "payments",
          true,
          `open: ${yield* reasonOf(Payments)}`,
          { state: "Open", calls: 1, failures: 1, refused: 1, retryAfterMillis: 30_000 }
        ]
      )
    }).pipe(
      Effect.provide(
        Layer.provideMerge(Health.layer({ checks: { payments: Health.fromBreaker(Payments) } }), Payments.layer)
      )
    )
  })

  it.effect("says what each state is", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make("b", options)
      assert.deepStrictEqual(yield* said(breaker), ["healthy", undefined])
      assert.deepStrictEqual((yield* ask(breaker)).details, { state: "Closed", calls: 0, failures: 0, refused: 0 })
      yield* fail(breaker)
      const reason = yield* reasonOf(breaker)
      assert.isString(reason)
      yield* TestClock.adjust("29999 millis")
      assert.deepStrictEqual(yield* said(breaker), ["degraded", `open: ${reason}`])
      yield* TestClock.adjust("1 milli")
      assert.deepStrictEqual(yield* said(breaker), ["degraded", `open until the next call: ${reason}`])
      const probe = yield* Effect.never.pipe(
        CircuitBreaker.protect(breaker),
        Effect.forkChild({ startImmediately: true })
      )
      assert.deepStrictEqual(yield* said(breaker), ["degraded", `half-open: ${reason}`])
      yield* Fiber.interrupt(probe)
      yield* CircuitBreaker.reset(breaker)
      assert.deepStrictEqual(yield* said(breaker), ["healthy", undefined])
      yield* CircuitBreaker.holdClosed(breaker, { reason: "load test", by: "ann" })
      assert.deepStrictEqual(yield* said(breaker), ["healthy", undefined])
      yield* CircuitBreaker.holdOpen(breaker)
      assert.deepStrictEqual(yield* said(breaker), ["degraded", "held open"])
      yield* CircuitBreaker.holdOpen(breaker, { for: "1 minute", reason: "maintenance", by: "ann" })
      assert.deepStrictEqual(yield* said(breaker), ["degraded", "held open by ann: maintenance"])
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* said(breaker), ["healthy", undefined])
    })
  )

  it.effect("whenOpen makes a circuit that refuses unhealthy, until a probe may come", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make("b", options)
      const status = Effect.map(said(breaker, { whenOpen: "unhealthy" }), ([status]) => status)
      yield* fail(breaker)
      assert.strictEqual(yield* status, "unhealthy")
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(yield* status, "degraded")
      const probe = yield* Effect.never.pipe(
        CircuitBreaker.protect(breaker),
        Effect.forkChild({ startImmediately: true })
      )
      assert.strictEqual(yield* status, "degraded")
      yield* Fiber.interrupt(probe)
      yield* CircuitBreaker.holdOpen(breaker)
      assert.strictEqual(yield* status, "unhealthy")
      yield* CircuitBreaker.reset(breaker)
      assert.strictEqual(yield* status, "healthy")
    })
  )

  it.effect("a dry run refuses nothing and only degrades", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make("b", { ...options, dryRun: true })
      const unhealthy = { whenOpen: "unhealthy" } as const
      yield* fail(breaker)
      const reason = yield* reasonOf(breaker)
      assert.deepStrictEqual(yield* said(breaker, unhealthy), ["degraded", `open (dry run): ${reason}`])
      yield* CircuitBreaker.holdOpen(breaker)
      assert.deepStrictEqual(yield* said(breaker, unhealthy), ["degraded", "held open (dry run)"])
    })
  )

  it.effect("circuits of keys degrade and never more, and their names are not shown", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make("b", options)
      yield* succeed(breaker, "globex")
      assert.deepStrictEqual(yield* said(breaker, { whenOpen: "unhealthy" }), ["healthy", undefined])
      yield* fail(breaker, "acme")
      yield* fail(breaker, "secret-token")
      const { details, message, status } = yield* ask(breaker, { whenOpen: "unhealthy" })
      assert.deepStrictEqual([status, message], ["degraded", "2 of 3 circuits of keys are not closed"])
      assert.deepStrictEqual([details["keys"], details["keysNotClosed"]], [3, 2])
      assert.notInclude(JSON.stringify(details), "acme")
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(yield* said(breaker), ["degraded", "2 of 3 circuits of keys are not closed"])
    })
  )

  it.effect("of a key it looks at that circuit, and at a hold of the breaker", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make("b", options)
      yield* fail(breaker, "acme")
      const reason = yield* reasonOf(breaker, "acme")
      assert.deepStrictEqual(yield* said(breaker, { key: "acme" }), ["degraded", `open: ${reason}`])
      assert.deepStrictEqual(yield* said(breaker, { key: "acme", whenOpen: "unhealthy" }), [
        "unhealthy",
        `open: ${reason}`
      ])
      assert.deepStrictEqual(yield* said(breaker, { key: "globex" }), ["healthy", undefined])
      yield* fail(breaker)
      assert.deepStrictEqual(yield* said(breaker, { key: "globex" }), ["healthy", undefined])
      yield* CircuitBreaker.holdOpen(breaker, { for: "1 minute", reason: "maintenance" })
      assert.deepStrictEqual(yield* said(breaker, { key: "globex" }), ["degraded", "held open: maintenance"])
      yield* CircuitBreaker.holdClosed(breaker)
      assert.deepStrictEqual(yield* said(breaker, { key: "acme" }), ["healthy", undefined])
      yield* CircuitBreaker.holdOpen(breaker, { for: "1 minute" })
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* said(breaker, { key: "globex" }), ["healthy", undefined])
    })
  )

  it.effect("is read anew for each report, also where results are kept or scheduled", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make("b", options)
      yield* Effect.gen(function* () {
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Health.report).status, "healthy")
        yield* fail(breaker)
        assert.strictEqual((yield* Health.report).status, "degraded")
        assert.strictEqual((yield* Health.run("kept")).status, "healthy")
      }).pipe(
        Effect.provide(
          Health.layer({
            ttl: "1 hour",
            schedule: "1 hour",
            checks: { b: Health.fromBreaker(breaker), kept: Health.fromBreaker(breaker, { ttl: "1 minute" }) }
          })
        )
      )
    })
  )

  it("takes the options of a check", () => {
    const check = Health.fromBreaker(CircuitBreaker.makeUnsafe("b"), {
      critical: false,
      kinds: ["readiness"],
      timeout: "1 second"
    })
    assert.deepStrictEqual([check.critical, check.kinds, check.timeout, check.ttl], [false, ["readiness"], 1000, 0])
  })

  const table: ReadonlyArray<[unknown, unknown, string, string]> = [
    [() => true, {}, "breaker", "a breaker, or its class"],
    [undefined, {}, "breaker", "a breaker, or its class"],
    ["payments", {}, "breaker", "a breaker, or its class"],
    [CircuitBreaker.makeUnsafe("b"), { whenOpen: "healthy" }, "whenOpen", "degraded or unhealthy"],
    [CircuitBreaker.makeUnsafe("b"), { timeout: 0 }, "timeout", "a finite duration > 0"]
  ]
  for (const [source, options, field, rule] of table) {
    it(`fromBreaker(${typeof source}, ${JSON.stringify(options)}) is refused: ${rule}`, () => {
      try {
        Health.fromBreaker(source as CircuitBreaker.CircuitBreaker, options as Health.BreakerOptions)
      } catch (error) {
        assert.instanceOf(error, InvalidOptionError)
        if (!(error instanceof InvalidOptionError)) return
        assert.deepStrictEqual([error.module, error.field, error.rule], ["Health", field, rule])
        return
      }
      assert.fail("it was accepted")
    })
  }
})
