import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer, Schedule } from "effect"
import { SqlClient } from "effect/sql"
import * as CircuitHistory from "../../src/testing/internal/CircuitHistory.ts"
import * as CircuitStore from "../../src/store/CircuitStore.ts"
import * as CircuitStoreSql from "../../src/store/CircuitStoreSql.ts"
import * as Postgres from "../support/postgres.ts"

const hold: CircuitStore.Step<void> = (state) => [
  { _tag: "HeldOpen", generation: state.generation + 1, since: 1 },
  undefined
]

const open = (sql: SqlClient.SqlClient, options?: CircuitStoreSql.Options) =>
  Effect.map(
    Layer.build(
      CircuitStoreSql.layer({ pollEvery: "200 millis", log: false, ...options }).pipe(
        Layer.provide(Layer.succeed(SqlClient.SqlClient, sql))
      )
    ),
    Context.get(CircuitStore.CircuitStore)
  )

const monitoring = (sql: SqlClient.SqlClient) =>
  sql<{ resource_key: string; state: string }>`
    SELECT resource_key, state, failure_count, open_until, updated_at FROM resilience_circuits`

layer(Postgres.layer, { excludeTestServices: true, timeout: "1 minute" })("CircuitStoreSql", (it) => {
  it.effect("PostgreSQL storage: the layer makes the table, and the monitoring query reads it", () =>
    Effect.gen(function* () {
      const server = yield* Postgres.Server
      const sql = yield* server.client(yield* server.database)
      const store = yield* open(sql)
      const cell = new CircuitHistory.Cell()
      yield* store.update(cell, 0, hold)
      const rows = yield* monitoring(sql)
      assert.deepStrictEqual(
        rows.map((row) => [row.resource_key, row.state]),
        [["payments", "HELD_OPEN"]]
      )
      assert.deepInclude(yield* store.status, { reachable: true, pending: 0 })
    })
  )

  it.effect("without `migrate` it makes nothing, and says what to do", () =>
    Effect.gen(function* () {
      const server = yield* Postgres.Server
      const sql = yield* server.client(yield* server.database)
      const store = yield* open(sql, { migrate: false })
      yield* store.update(new CircuitHistory.Cell(), 0, hold)
      const { lastError, reachable } = yield* store.status
      assert.isFalse(reachable)
      assert.include(lastError, "table resilience_circuits does not exist: run `resilience setup`")
    })
  )

  it.effect("a table that somebody dropped is made again, with what the process knows", () =>
    Effect.gen(function* () {
      const server = yield* Postgres.Server
      const sql = yield* server.client(yield* server.database)
      const store = yield* open(sql)
      const cell = new CircuitHistory.Cell()
      store.attach(cell)
      yield* store.update(cell, 0, hold)
      yield* sql`DROP TABLE resilience_circuits, resilience_circuits_migrations`
      const rows = yield* monitoring(sql).pipe(
        Effect.filterOrFail((rows) => rows.length > 0),
        Effect.retry({ schedule: Schedule.spaced("100 millis"), times: 100 })
      )
      assert.strictEqual(rows[0]?.state, "HELD_OPEN")
    })
  )
})
