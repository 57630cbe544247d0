import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Metric, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Backoff from "../../src/policies/Backoff.ts"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as CircuitBreakers from "../../src/breaker/CircuitBreakers.ts"
import * as CircuitStore from "../../src/store/CircuitStore.ts"
import * as Fallback from "../../src/policies/Fallback.ts"
import * as Health from "../../src/health/Health.ts"
import * as PolicyObserver from "../../src/policies/internal/PolicyObserver.ts"
import * as Retry from "../../src/policies/Retry.ts"
import * as Telemetry from "../../src/telemetry/Telemetry.ts"
import * as Timeout from "../../src/policies/Timeout.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import { histogram, make, observed, read, registry, some, traced } from "../support/telemetry.ts"

describe("Telemetry of several layers", () => {
  const metricsOf = (map: Metric.MetricRegistry) => Layer.succeed(Metric.MetricRegistry, map)
  const refuse = (breaker: CircuitBreaker.CircuitBreaker) =>
    Effect.succeed(1).pipe(CircuitBreaker.protect(breaker), Effect.exit)
  const retry = Effect.fail("boom").pipe(Retry.retry({ maxAttempts: 2, backoff: Backoff.constant(0) }), Effect.exit)
  /** A layer within another one, as those of a library and its app are. Each is ended by its scope. */
  const nested = <R>(outer: Layer.Layer<never, never, R>, inner: Layer.Layer<never, never, R>) =>
    Effect.gen(function* () {
      const test = yield* Effect.scope
      const scopes = { outer: yield* Scope.fork(test), inner: yield* Scope.fork(test) }
      const around = yield* Layer.buildWithScope(outer, scopes.outer)
      const within = yield* Effect.provide(Layer.buildWithScope(inner, scopes.inner), around)
      return { around, within, scopes }
    })
  const alone = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.suspend(() => Effect.provide(effect, Layer.merge(CircuitBreakers.layer, registry())))

  it.effect("one registry of metrics counts each event once, and each is one event of the span", () =>
    Effect.gen(function* () {
      const { breaker, fail } = yield* make()
      const { within } = yield* nested(Telemetry.layer(), Telemetry.layer())
      yield* fail
      const { events } = yield* traced(Effect.andThen(refuse(breaker), retry)).pipe(Effect.provide(within))
      assert.deepStrictEqual(
        events?.map(([name]) => name),
        ["resilience.circuit.refused", "resilience.retry", "resilience.retry.exhausted"]
      )
      const { "circuit.duration{circuit.name=api,outcome=failure}": failure, ...others } = yield* some("")
      assert.strictEqual(typeof failure === "object" && failure.count, 1)
      assert.deepInclude(others, {
        "circuit.calls{circuit.name=api,outcome=failure}": 1,
        "circuit.refusals{circuit.name=api}": 1,
        "circuit.transitions{circuit.name=api,circuit.from=closed,circuit.to=open}": 1,
        "retry.failed_attempts{}": 2,
        "retry.retries{}": 1,
        "retry.exhausted{reason=attempts}": 1
      })
    }).pipe(alone)
  )

  for (const [first, last] of [
    ["outer", "inner"],
    ["inner", "outer"]
  ] as const) {
    it.effect(`the ${first} one ends: series and counts stay until the other one does`, () =>
      Effect.gen(function* () {
        const { breaker, fail, succeed } = yield* make()
        yield* fail
        const { around, scopes, within } = yield* nested(Telemetry.layer(), Telemetry.layer())
        yield* TestClock.adjust("10 seconds")
        yield* succeed
        yield* Effect.provide(retry, within)
        const before = yield* read
        assert.deepInclude(before, {
          "circuit.transitions{circuit.name=api,circuit.from=half_open,circuit.to=closed}": 1,
          "circuit.open_time{circuit.name=api}": 10,
          "retry.retries{}": 1
        })
        yield* Scope.close(scopes[first], Exit.void)
        assert.deepStrictEqual(yield* read, before)
        yield* succeed
        yield* Effect.provide(retry, first === "outer" ? within : around)
        assert.strictEqual((yield* read)["retry.retries{}"], 2)
        assert.strictEqual((yield* histogram("circuit.duration{circuit.name=api,outcome=success}")).count, 2)
        yield* Scope.close(scopes[last], Exit.void)
        assert.deepStrictEqual([yield* read, breaker.observer, breaker.timed], [{}, undefined, false])
      }).pipe(alone)
    )
  }

  it.effect("two registries of metrics both have all, and each is one event of the span", () =>
    Effect.gen(function* () {
      const maps: readonly [Metric.MetricRegistry, Metric.MetricRegistry] = [new Map(), new Map()]
      const { breaker, fail } = yield* make()
      const { within } = yield* nested(
        Layer.provide(Telemetry.layer(), metricsOf(maps[0])),
        Layer.provide(Telemetry.layer(), metricsOf(maps[1]))
      )
      yield* fail
      const { events } = yield* traced(Effect.andThen(refuse(breaker), retry)).pipe(Effect.provide(within))
      assert.strictEqual(events?.length, 3)
      const [one, two] = yield* Effect.forEach(maps, (map) => Effect.provide(read, metricsOf(map)))
      assert.deepStrictEqual(one, two)
      assert.deepInclude(one, {
        "circuit.refusals{circuit.name=api}": 1,
        "retry.retries{}": 1,
        "retry.exhausted{reason=attempts}": 1
      })
      assert.strictEqual(
        (yield* histogram("circuit.duration{circuit.name=api,outcome=failure}").pipe(
          Effect.provide(metricsOf(maps[0]))
        )).count,
        1
      )
      assert.deepStrictEqual(yield* read, {})
    }).pipe(alone)
  )

  it.effect("latency, spans and keys are there if one asks for them, until that one ends", () =>
    Effect.gen(function* () {
      const { breaker, fail, succeed } = yield* make({ trip: TripPolicy.consecutive(9) })
      const { scopes } = yield* nested(
        Telemetry.layer({ latency: false, spans: false }),
        Telemetry.layer({ keys: { api: 5 } })
      )
      yield* succeed
      yield* fail
      yield* CircuitBreaker.protect(Effect.succeed(1), breaker, { key: "a" })
      yield* CircuitBreaker.holdOpen(breaker)
      const seen = (name: string) => Effect.map(some(name), (series) => Object.keys(series).length > 0)
      const events = Effect.map(traced(refuse(breaker)), (span) => span.events?.length)
      assert.deepStrictEqual(
        [yield* seen("circuit.duration"), yield* seen("circuit.key."), yield* events, breaker.timed],
        [true, true, 1, true]
      )
      yield* Scope.close(scopes.inner, Exit.void)
      assert.deepStrictEqual(
        [yield* seen("circuit.duration"), yield* seen("circuit.key."), yield* events, breaker.timed],
        [false, false, 0, false]
      )
      assert.strictEqual((yield* read)["circuit.calls{circuit.name=api,outcome=success}"], 2)
    }).pipe(alone)
  )

  it.effect("checks and a store are shown once, until the last one ends", () =>
    Effect.gen(function* () {
      yield* Health.report
      const { scopes } = yield* nested(
        Telemetry.layer(),
        Layer.provide(Telemetry.layer(), Layer.effectDiscard(Effect.orDie(Health.run("a", { fresh: true }))))
      )
      const before = yield* read
      const { count } = yield* histogram("health.check.duration{check=a}")
      assert.deepStrictEqual([count, before["store.reachable{}"]], [2, 1])
      yield* Scope.close(scopes.outer, Exit.void)
      assert.deepStrictEqual(yield* read, before)
      yield* Scope.close(scopes.inner, Exit.void)
      assert.deepStrictEqual([yield* read, (yield* Health.Health).watchers.size], [{}, 0])
    }).pipe(
      Effect.provide(
        Layer.mergeAll(
          Health.layer({ checks: { a: Health.check(Effect.succeed(1)) } }),
          Layer.succeed(CircuitStore.CircuitStore, CircuitStore.local),
          registry()
        )
      )
    )
  )

  it.effect("of two breakers of one name the later is shown, and the earlier when that has left", () =>
    Effect.gen(function* () {
      const app = Effect.gen(function* () {
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithMemoMap(
          Layer.provideMerge(Telemetry.layer(), CircuitBreakers.layer),
          Layer.makeMemoMapUnsafe(),
          scope
        )
        const { succeeds } = yield* make().pipe(Effect.provide(context), Effect.provideService(Scope.Scope, scope))
        return { scope, succeeds }
      })
      const [earlier, later] = [yield* app, yield* app]
      yield* earlier.succeeds(3)
      yield* later.succeeds(5)
      const successes = Effect.map(read, (series) => series["circuit.calls{circuit.name=api,outcome=success}"])
      assert.strictEqual(yield* successes, 5)
      yield* Scope.close(later.scope, Exit.void)
      assert.strictEqual(yield* successes, 3)
      yield* Scope.close(earlier.scope, Exit.void)
      assert.deepStrictEqual(yield* read, {})
    }).pipe(Effect.provide(registry()))
  )

  it.effect("retries go to the registry and have the attributes that the layer was built with, and leave with it", () =>
    Effect.gen(function* () {
      const map: Metric.MetricRegistry = new Map()
      const attributes = Effect.provideService(Metric.CurrentMetricAttributes, { service: "shop" })
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Layer.provide(Telemetry.layer(), metricsOf(map)), scope).pipe(
        attributes
      )
      yield* retry.pipe(Effect.provide(context))
      yield* retry.pipe(
        Effect.provide(context),
        Effect.provideService(Metric.CurrentMetricAttributes, { call: "charge" })
      )
      yield* retry.pipe(Effect.provide(context))
      assert.deepStrictEqual(yield* read, {})
      assert.deepStrictEqual(yield* some("retry.retries").pipe(Effect.provide(metricsOf(map))), {
        "retry.retries{service=shop}": 2,
        "retry.retries{service=shop,call=charge}": 1
      })
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(map.size, 0)
    }).pipe(Effect.provide(registry()))
  )

  it.effect("a call that continues after the end begins no series", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Telemetry.layer(), scope)
      yield* Scope.close(scope, Exit.void)
      yield* retry.pipe(Effect.provide(context))
      yield* Effect.fail("down").pipe(
        Fallback.orElseSucceed(() => 1, { source: "cache" }),
        Effect.provide(context)
      )
      assert.deepStrictEqual(yield* read, {})
    }).pipe(alone)
  )

  it.effect("calls with the attributes of another layer are counted on when that one ends", () =>
    Effect.gen(function* () {
      const attributes = Effect.provideService(Metric.CurrentMetricAttributes, { region: "eu" })
      const scopes = { own: yield* Scope.make(), other: yield* Scope.make() }
      const context = yield* Layer.buildWithScope(Telemetry.layer(), scopes.own)
      yield* attributes(Layer.buildWithScope(Telemetry.layer(), scopes.other))
      const call = retry.pipe(Effect.provide(context), attributes)
      const retries = Effect.map(read, (series) => series["retry.retries{region=eu}"])
      yield* call
      yield* Scope.close(scopes.other, Exit.void)
      assert.strictEqual(yield* retries, 1)
      yield* call
      assert.strictEqual(yield* retries, 2)
      yield* Scope.close(scopes.own, Exit.void)
      assert.deepStrictEqual(yield* read, {})
    }).pipe(alone)
  )

  it.effect("an observer that the layer finds continues to be told", () =>
    Effect.gen(function* () {
      const told: Array<string> = []
      const own = {
        attemptFailed: () => void told.push("attemptFailed"),
        retried: (...args: ReadonlyArray<unknown>) => void told.push(`retried ${args.join()}`),
        exhausted: (...args: ReadonlyArray<unknown>) => void told.push(`exhausted ${args.join()}`),
        timedOut: (...args: ReadonlyArray<unknown>) => void told.push(`timedOut ${args.join()}`),
        served: (...args: ReadonlyArray<unknown>) => void told.push(`served ${args.join()}`),
        allFailed: () => void told.push("allFailed")
      }
      yield* Effect.all([
        retry,
        Fallback.chain([Fallback.source("one", Effect.fail("down"))]).pipe(Effect.exit),
        Effect.fail("down").pipe(Fallback.orElseSucceed(() => 1, { source: "cache" })),
        TestClock.withLive(Effect.never.pipe(Timeout.timeout("1 millis", { operation: "report" }), Effect.exit))
      ]).pipe(observed(), Effect.provideService(PolicyObserver.PolicyObserver, own))
      assert.deepStrictEqual(told, [
        "attemptFailed",
        "retried 2,0",
        "attemptFailed",
        "exhausted 2,attempts",
        "allFailed",
        "served cache",
        "timedOut report"
      ])
    })
  )
})
