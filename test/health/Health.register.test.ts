import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Ref, Scope } from "effect"
import * as Health from "../../src/health/Health.ts"
import { counting, defect, down, fork, names, provide, statuses, up } from "../support/health.ts"

describe("register", () => {
  it.effect("all components register with one instance of the application", () =>
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
