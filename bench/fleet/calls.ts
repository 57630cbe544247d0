/**
 * What a healthy call through a shared circuit costs: time beside a circuit that
 * is not shared and beside Effect's own over Redis, and operations on the store.
 */
import { CircuitBreaker, CircuitStore, TripPolicy } from "effect-resilience"
import { Context, Effect, Layer } from "effect"
import type { Scope } from "effect"
import * as EffectBreaker from "effect/persistence/CircuitBreaker"
import { Redis } from "effect/persistence"
import { inFiber, sync } from "../dependencies.ts"
import { added, measure, ratios, summarize } from "../measure.ts"
import type { Summary } from "../measure.ts"

type Store = CircuitStore.CircuitStore["Service"]

export interface Calls {
  /** What a shared call costs above a bare effect, against what a local one does. */
  readonly againstLocal: Readonly<Record<string, Summary>>
  /** The same against Effect's own breaker over Redis. */
  readonly againstEffect: Summary | undefined
  /** Operations of each store while 100 000 calls ran at a rate, and while it was idle as long. */
  readonly operations: Readonly<Record<string, { readonly calls: number; readonly idle: number }>>
}

const options: CircuitBreaker.Options = { trip: TripPolicy.consecutive(5), log: false }

const shared = (store: Store) =>
  Effect.provideService(CircuitBreaker.makeShared("healthy", options), CircuitStore.CircuitStore, store)

export const measureCalls = (
  stores: Readonly<Record<string, Store>>,
  redis: Context.Service.Shape<typeof Redis.Redis> | undefined
): Effect.Effect<Calls, never, Scope.Scope> =>
  Effect.gen(function* () {
    const local = CircuitBreaker.makeUnsafe("healthy", options)
    const breakers: Record<string, CircuitBreaker.CircuitBreaker> = {}
    for (const [name, store] of Object.entries(stores)) breakers[name] = yield* shared(store)
    yield* Effect.sleep(1000)

    const many = 50_000
    const cases = {
      bare: { count: many, run: inFiber(sync) },
      local: { count: many, run: inFiber(CircuitBreaker.protect(sync, local)) },
      ...Object.fromEntries(
        Object.entries(breakers).map(([name, breaker]) => [
          name,
          { count: many, run: inFiber(CircuitBreaker.protect(sync, breaker)) }
        ])
      ),
      ...(redis === undefined
        ? undefined
        : {
            effect: {
              count: 500,
              run: inFiber(
                sync.pipe((yield* effects.pipe(Effect.provideService(Redis.Redis, redis))).execute({ key: "healthy" }))
              )
            }
          })
    }
    const samples = yield* Effect.promise(() => measure(cases))
    const cost = (name: string) => added(samples, name, "bare")

    // One after the other at a rate, so that a trickle beside the calls shows.
    const operations: Record<string, { readonly calls: number; readonly idle: number }> = {}
    for (const [name, store] of Object.entries(stores)) {
      const breaker = breakers[name] as CircuitBreaker.CircuitBreaker // made above
      const during = (work: Effect.Effect<unknown>) =>
        Effect.gen(function* () {
          const before = (yield* store.status).operations
          yield* work
          return (yield* store.status).operations - before
        })
      const started = performance.now()
      const calls = yield* during(
        Effect.forEach(
          Array.from({ length: 100 }),
          () =>
            Effect.delay(
              Effect.promise(() => inFiber(CircuitBreaker.protect(sync, breaker))(1000)),
              100
            ),
          { discard: true }
        )
      )
      const idle = yield* during(Effect.sleep(performance.now() - started))
      operations[name] = { calls, idle }
    }
    return {
      againstLocal: Object.fromEntries(
        Object.keys(stores).map((name) => [name, summarize(ratios(cost(name), cost("local")))])
      ),
      againstEffect: redis === undefined ? undefined : summarize(ratios(cost("redis"), cost("effect"))),
      operations
    }
  })

const effects = Effect.map(
  Layer.build(
    EffectBreaker.layer({ tripPolicy: EffectBreaker.consecutive(5), openDuration: "30 seconds" }).pipe(
      Layer.provide(EffectBreaker.layerStoreRedis())
    )
  ),
  Context.get(EffectBreaker.CircuitBreaker)
)
