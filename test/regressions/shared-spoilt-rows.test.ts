// One row that somebody spoilt took the store from all circuits of its namespace, or was never healed: the client takes no
// message above 16 MiB, and a version above 2^53 is no number, so the write never matched and was tried without end.
import { NodeRedis } from "@effect/platform-node"
import { assert, it, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import type { Scope } from "effect"
import { Redis } from "effect/persistence"
import { SqlClient } from "effect/sql"
import type * as CircuitState from "../../src/circuit/CircuitState.ts"
import * as CircuitMigration from "../../src/store/CircuitMigration.ts"
import * as CircuitStoreTable from "../../src/store/CircuitStoreTable.ts"
import * as CircuitTable from "../../src/store/CircuitTable.ts"
import * as CircuitTableRedis from "../../src/store/CircuitTableRedis.ts"
import * as CircuitTableSql from "../../src/store/CircuitTableSql.ts"
import { cli } from "../cli/process.ts"
import * as Cells from "../support/cells.ts"
import * as Postgres from "../support/postgres.ts"
import * as RedisServer from "../support/redis.ts"
import * as Sqlite from "../support/sqlite.ts"

const config: CircuitState.Config = { probes: 1, needed: 1, of: 1, leaseMillis: 5000, paceMillis: 100 }

interface Ground {
  readonly table: CircuitTable.CircuitTable
  /** Sets a column of the row of `payments`, past the table. With new data the row has a new version and time. */
  readonly spoil: (column: "version" | "data" | "updatedBy", text: string) => Effect.Effect<unknown, unknown>
  /** Address for the command line, where it knows the database. */
  readonly url: string | undefined
}

const megabytes = 50

const harmsNoOther = ({ spoil, table, url }: Ground): Effect.Effect<void, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const store = yield* CircuitStoreTable.make(table, { pollEvery: "150 millis", timeout: "5 seconds", log: false })
    const [payments, search] = [new Cells.Cell(), new Cells.Cell("search")]
    for (const cell of [payments, search]) store.attach(cell)
    yield* Effect.sleep(300)
    const hold = (cell: Cells.Cell) => Cells.apply(store, cell, { _tag: "Hold", as: "HeldOpen", by: "ops" }, config)
    const row = Effect.map(table.read(["payments"]), ({ rows }) => CircuitTable.decode(rows[0]?.data ?? "")?.state._tag)
    const long = "x".repeat(megabytes * 2 ** 20)

    for (const [column, text] of [
      ["data", long],
      ["updatedBy", long],
      ["version", "9007199254740993"]
    ] as const) {
      yield* hold(payments)
      yield* spoil(column, text)
      yield* Effect.sleep(500)
      assert.deepInclude(yield* store.status, { reachable: true, errors: 0 }, column)
      const other = yield* CircuitTable.update(table, "search", "ops", (state) => [
        { ...state, generation: state.generation + 1 },
        undefined
      ])
      yield* Effect.sleep(500)
      assert.strictEqual(search.current.generation, other.after.generation, column)
      const { rows } = yield* table.changes(undefined)
      assert.deepStrictEqual(rows.map(({ resourceKey }) => resourceKey).toSorted(), ["payments", "search"], column)

      if (url === undefined) {
        yield* CircuitTable.update(table, "payments", "ops", (state, now) => [
          { _tag: "Closed", generation: state.generation + 1, since: now, openings: 0, openMillis: 0 },
          undefined
        ])
      } else {
        const reset = yield* Effect.promise(() => cli(["reset", "payments"], { env: { RESILIENCE_DATABASE_URL: url } }))
        assert.deepStrictEqual([reset.code, reset.err], [0, ""], column)
      }
      assert.strictEqual(yield* row, "Closed", column)
      yield* hold(payments)
      assert.strictEqual(yield* row, "HeldOpen", column)
    }
    assert.deepInclude(yield* store.status, { reachable: true, errors: 0, pending: 0 })
  })

RedisServer.describeServer("a row that somebody spoilt in Redis", () => {
  it.live("is healed, and harms no other", () =>
    Effect.gen(function* () {
      const { url } = yield* RedisServer.serve
      const redis = Context.get(yield* Layer.build(NodeRedis.layer({ url })), Redis.Redis)
      yield* harmsNoOther({
        url,
        table: yield* Effect.provideService(CircuitTableRedis.make(), Redis.Redis, redis),
        spoil: (column, text) =>
          Effect.gen(function* () {
            const row = "{resilience:default}:circuit:payments"
            yield* redis.send("HSET", row, column, text)
            if (column !== "data") return
            yield* redis.send("HINCRBY", row, "version", "1")
            yield* redis.send("ZADD", "{resilience:default}:updated", String(Date.now()), "payments")
          })
      })
    }).pipe(Effect.scoped)
  )
})

const columns = { version: "version", data: "data", updatedBy: "updated_by" } as const

layer(Postgres.layer, { excludeTestServices: true, timeout: "2 minutes" })(
  "a row that somebody spoilt in PostgreSQL",
  (it) => {
    it.effect("is healed, and harms no other", () =>
      Effect.gen(function* () {
        const server = yield* Postgres.Server
        const url = yield* server.database
        const sql = yield* server.client(url)
        const within = Effect.provideService(SqlClient.SqlClient, sql)
        yield* within(CircuitMigration.apply())
        yield* harmsNoOther({
          url,
          table: yield* within(CircuitTableSql.make()),
          spoil: (column, text) =>
            column === "version"
              ? sql`UPDATE resilience_circuits SET version = ${text}::bigint WHERE resource_key = 'payments'`
              : sql`UPDATE resilience_circuits SET ${sql(columns[column])} = repeat('x', ${text.length}),
                version = version + ${column === "data" ? 1 : 0}, updated_at = clock_timestamp()
                WHERE resource_key = 'payments'`
        })
      }).pipe(Effect.scoped)
    )
  }
)

it.live("a row that somebody spoilt in SQLite is healed, and harms no other", () =>
  Effect.gen(function* () {
    const sql = yield* Sqlite.make()
    const within = Effect.provideService(SqlClient.SqlClient, sql)
    yield* within(CircuitMigration.apply())
    yield* harmsNoOther({
      url: undefined,
      table: yield* within(CircuitTableSql.make()),
      spoil: (column, text) =>
        Effect.andThen(
          sql`UPDATE resilience_circuits SET version = version + 1, updated_at = ${Date.now()}
            WHERE resource_key = 'payments'`,
          sql`UPDATE resilience_circuits SET ${sql(columns[column])} = ${column === "version" ? BigInt(text) : text}
            WHERE resource_key = 'payments'`
        )
    })
  }).pipe(Effect.scoped)
)
