import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitStore from "../../src/store/CircuitStore.ts"
import * as Health from "../../src/health/Health.ts"
import * as Telemetry from "../../src/telemetry/Telemetry.ts"
import { histogram, registry, some, type Value } from "../support/telemetry.ts"

describe("Telemetry of health and stores", () => {
  it.effect("status and latency of the checks that have a result", () =>
    Effect.gen(function* () {
      const health = yield* Health.Health
      assert.deepStrictEqual(yield* some("health."), {})
      const slow = Effect.as(Effect.sleep("2 seconds"), 1)
      const scope = yield* Scope.make()
      yield* Health.register("late", Health.check(Effect.fail("down"))).pipe(Effect.provideService(Scope.Scope, scope))
      yield* health.register("slow", Health.check(slow))
      const report = yield* Effect.forkChild(Health.report)
      yield* TestClock.adjust("2 seconds")
      yield* Effect.yieldNow
      report.pollUnsafe()
      const gauges = (series: Record<string, Value>) => Object.keys(series).filter((name) => name.includes("status"))
      assert.deepStrictEqual(gauges(yield* some("health.")).sort(), [
        "health.check.status{check=late,status=unhealthy}",
        "health.check.status{check=slow,status=healthy}"
      ])
      const { count, sum } = yield* histogram("health.check.duration{check=slow}")
      assert.deepStrictEqual([count, sum], [1, 2])
      yield* Health.run("late", { fresh: true })
      assert.strictEqual((yield* histogram("health.check.duration{check=late}")).count, 2)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(gauges(yield* some("health.")), ["health.check.status{check=slow,status=healthy}"])
    }).pipe(Effect.provide(Telemetry.layer().pipe(Layer.provideMerge(Health.layer()), Layer.provideMerge(registry()))))
  )

  it.effect("further checks than allowed have no series, and nobody is called after the end", () =>
    Effect.gen(function* () {
      const health = yield* Health.Health
      const scope = yield* Scope.make()
      yield* Layer.buildWithScope(Telemetry.layer({ maxValues: 1 }), scope)
      yield* Health.report
      assert.deepStrictEqual(
        Object.keys(yield* some("health.")).filter((name) => name.includes("status")),
        ["health.check.status{check=a,status=healthy}"]
      )
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual([yield* some("health."), health.watchers.size], [{}, 0])
    }).pipe(
      Effect.provide(
        Layer.merge(
          Health.layer({ checks: { a: Health.check(Effect.succeed(1)), b: Health.check(Effect.succeed(1)) } }),
          registry()
        )
      )
    )
  )

  it.effect("a store that cannot tell at once is shown as it was", () => {
    let status: CircuitStore.CircuitStore["Service"]["status"] = CircuitStore.local.status
    const store = { ...CircuitStore.local, status: Effect.suspend(() => status) }
    return Effect.gen(function* () {
      assert.deepStrictEqual(yield* some("store."), { "store.reachable{}": 1 })
      status = Effect.never
      assert.deepStrictEqual(yield* some("store."), { "store.reachable{}": 1 })
    }).pipe(
      Effect.provide(
        Telemetry.layer().pipe(
          Layer.provideMerge(Layer.succeed(CircuitStore.CircuitStore, store)),
          Layer.provideMerge(registry())
        )
      )
    )
  })

  it.effect("operations, errors and how long a store has been away", () => {
    let status: CircuitStore.Status = {
      shared: true,
      reachable: true,
      since: 0,
      pending: 0,
      operations: 7,
      errors: 0,
      lastError: undefined
    }
    const store = { ...CircuitStore.local, status: Effect.suspend(() => Effect.succeed(status)) }
    return Effect.gen(function* () {
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* some("store."), { "store.operations{}": 7, "store.reachable{}": 1 })
      status = { ...status, reachable: false, since: 45_000, operations: 9, errors: 2, pending: 3 }
      assert.deepStrictEqual(yield* some("store."), {
        "store.operations{}": 9,
        "store.errors{}": 2,
        "store.pending{}": 3,
        "store.lag{}": 15
      })
    }).pipe(
      Effect.provide(
        Telemetry.layer().pipe(
          Layer.provideMerge(Layer.succeed(CircuitStore.CircuitStore, store)),
          Layer.provideMerge(registry())
        )
      )
    )
  })
})
