import { afterAll, describe } from "@effect/vitest"
import { Context, Effect, Layer, ManagedRuntime } from "effect"
import { SqlClient } from "effect/sql"
import * as CircuitStore from "../../src/store/CircuitStore.ts"
import * as CircuitStoreLaws from "../../src/testing/CircuitStoreLaws.ts"
import * as CircuitStoreSql from "../../src/store/CircuitStoreSql.ts"
import { suite } from "../suites/CircuitStoreSuite.ts"
import * as Postgres from "../support/postgres.ts"

describe("PostgreSQL", () => {
  const runtime = ManagedRuntime.make(Postgres.layer)
  afterAll(() => runtime.dispose(), 60_000)

  /** Opens clients of one table, each with connections of its own. */
  const openFleet = (clients: number) =>
    Effect.gen(function* () {
      const server = Context.get(yield* runtime.contextEffect, Postgres.Server)
      const url = yield* server.database
      const open = Effect.gen(function* () {
        const sql = yield* server.client(url, { maxConnections: 5 })
        const store = CircuitStoreSql.layer({ timeout: "10 seconds", pollEvery: "1 second", spread: 0 })
        const services = yield* Layer.build(Layer.provide(store, Layer.succeed(SqlClient.SqlClient, sql)))
        return Context.get(services, CircuitStore.CircuitStore)
      })
      const stores = yield* Effect.all(Array.from({ length: clients }, () => open))
      // Until all of them listen.
      yield* Effect.sleep(150)
      return CircuitStoreLaws.liveFleet(stores, { settle: "100 millis" })
    }).pipe(Effect.orDie)

  const live = { live: true, patience: "10 seconds" } as const
  suite("one client of PostgreSQL", openFleet(1), { ...live, runs: 200 })
  suite("two clients of PostgreSQL", openFleet(2), { ...live, clients: 2, runs: 200 })
  suite("three clients of PostgreSQL", openFleet(3), { ...live, clients: 3 })
})
