import { NodeRedis } from "@effect/platform-node"
import { afterAll } from "@effect/vitest"
import { Context, Effect, Layer, ManagedRuntime } from "effect"
import { randomUUID } from "node:crypto"
import * as CircuitStore from "../../src/store/CircuitStore.ts"
import * as CircuitStoreLaws from "../../src/testing/CircuitStoreLaws.ts"
import * as CircuitStoreRedis from "../../src/store/CircuitStoreRedis.ts"
import { suite } from "../suites/CircuitStoreSuite.ts"
import * as RedisServer from "../support/redis.ts"

RedisServer.describeRedis("Redis", () => {
  class Url extends Context.Service<Url, string>()("test/RedisUrl") {}
  const given = process.env["REDIS_URL"]
  const url = given === undefined ? Effect.map(RedisServer.serve, (server) => server.url) : Effect.succeed(given)
  const runtime = ManagedRuntime.make(Layer.effect(Url, url))
  afterAll(() => runtime.dispose(), 60_000)

  /** Opens clients of one namespace, each with a connection of its own. */
  const openFleet = (clients: number) =>
    Effect.gen(function* () {
      const url = Context.get(yield* runtime.contextEffect, Url)
      const store = CircuitStoreRedis.layer({
        prefix: `test-${randomUUID()}`,
        timeout: "10 seconds",
        pollEvery: "1 second",
        spread: 0
      })
      const open = Effect.map(Layer.build(Layer.fresh(Layer.provide(store, NodeRedis.layer({ url })))), (services) =>
        Context.get(services, CircuitStore.CircuitStore)
      )
      const stores = yield* Effect.all(Array.from({ length: clients }, () => open))
      // Until all of them listen.
      yield* Effect.sleep(150)
      return CircuitStoreLaws.liveFleet(stores, { settle: "100 millis" })
    }).pipe(Effect.orDie)

  const live = { live: true, patience: "10 seconds" } as const
  suite("one client of Redis", openFleet(1), { ...live, runs: 200 })
  suite("two clients of Redis", openFleet(2), { ...live, clients: 2, runs: 200 })
  suite("three clients of Redis", openFleet(3), { ...live, clients: 3 })
})
