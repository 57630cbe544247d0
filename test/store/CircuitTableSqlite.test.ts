import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { SqlClient } from "effect/sql"
import * as CircuitMigration from "../../src/store/CircuitMigration.ts"
import * as CircuitTableSql from "../../src/store/CircuitTableSql.ts"
import { draft, fresh, suite } from "../suites/CircuitTableSuite.ts"
import * as Sqlite from "../support/sqlite.ts"

const withClient =
  (sql: SqlClient.SqlClient) =>
  <A, E>(effect: Effect.Effect<A, E, SqlClient.SqlClient>) =>
    Effect.provideService(effect, SqlClient.SqlClient, sql)

suite(
  "SQLite",
  Effect.gen(function* () {
    const sql = yield* Sqlite.make()
    const within = withClient(sql)
    yield* Effect.orDie(within(CircuitMigration.apply()))
    return {
      table: (namespace = fresh()) =>
        Effect.map(within(CircuitTableSql.make({ namespace })), (table) => ({
          ...table,
          spoil: (key, version) =>
            Effect.orDie(sql`UPDATE resilience_circuits SET version = ${BigInt(version)}
              WHERE namespace = ${namespace} AND resource_key = ${key}`)
        }))
    }
  }),
  { live: true }
)

describe("a table of circuits in SQLite", () => {
  const open = Effect.map(Sqlite.make(), (sql) => ({ sql, within: withClient(sql) }))

  it.live("is made once, by whoever comes first", () =>
    Effect.gen(function* () {
      const { within } = yield* open
      const outcomes = yield* Effect.all(
        Array.from({ length: 20 }, () => within(CircuitMigration.apply())),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(outcomes.toSorted(), ["created", ...Array.from({ length: 19 }, () => "current")])
    })
  )

  it.live("is brought up to date where it is, and keeps its rows", () =>
    Effect.gen(function* () {
      const { sql, within } = yield* open
      const [first] = CircuitMigration.steps("sqlite")
      for (const statement of first!.statements) yield* sql.unsafe(statement)
      const table = yield* within(CircuitTableSql.make())
      yield* table.write(draft("a"), 0)
      const before = yield* table.changes(undefined)
      assert.deepStrictEqual(
        (yield* within(CircuitMigration.pending())).map(({ id }) => id),
        [2]
      )
      assert.strictEqual(yield* within(CircuitMigration.apply()), "updated")
      assert.strictEqual(yield* within(CircuitMigration.apply()), "current")
      assert.deepStrictEqual((yield* table.changes(undefined)).rows, before.rows)
    })
  )

  it.live("can be in a database that was attached", () =>
    Effect.gen(function* () {
      const { sql, within } = yield* open
      yield* sql`ATTACH DATABASE ':memory:' AS ops`
      const options = { table: "ops.circuits" }
      assert.strictEqual(yield* within(CircuitMigration.apply(options)), "created")
      assert.strictEqual(yield* within(CircuitMigration.apply(options)), "current")
      const table = yield* within(CircuitTableSql.make(options))
      const version = yield* table.write(draft("a"), 0)
      assert.isDefined(yield* table.write(draft("a"), version!))
    })
  )

  it.live("shows its rows to people, with times in milliseconds", () =>
    Effect.gen(function* () {
      const { sql, within } = yield* open
      yield* within(CircuitMigration.apply())
      const table = yield* within(CircuitTableSql.make())
      yield* table.write(draft("a", { state: "OPEN", failureCount: 3, openUntil: 1_800_000_000_000.5 }), 0)
      yield* table.write(draft("b"), 0)
      const rows = yield* sql`SELECT resource_key, state, failure_count, open_until, updated_at
        FROM resilience_circuits WHERE state = 'OPEN'`
      const [row] = (yield* table.read(["a"])).rows
      assert.deepStrictEqual(rows, [
        {
          resource_key: "a",
          state: "OPEN",
          failure_count: 3,
          open_until: 1_800_000_000_000,
          updated_at: row!.updatedAt
        }
      ])
    })
  )

  it.live("says that it is not there", () =>
    Effect.gen(function* () {
      const { within } = yield* open
      const error = yield* Effect.flip((yield* within(CircuitTableSql.make())).read(["a"]))
      assert.strictEqual(
        error.message,
        "table resilience_circuits does not exist: run `resilience setup`, or give the layer the option `migrate`"
      )
    })
  )

  it.live("tells of nothing", () =>
    Effect.gen(function* () {
      const { within } = yield* open
      assert.isUndefined((yield* within(CircuitTableSql.make())).listen)
    })
  )

  it.live("leaves nothing behind where a step fails", () =>
    Effect.gen(function* () {
      const { sql, within } = yield* open
      yield* sql`CREATE TABLE other (namespace text, updated_at integer)`
      yield* sql`CREATE INDEX resilience_circuits_updated_at ON other (namespace)`
      assert.isTrue(Exit.isFailure(yield* Effect.exit(within(CircuitMigration.apply()))))
      yield* sql`DROP INDEX resilience_circuits_updated_at`
      assert.strictEqual(yield* within(CircuitMigration.apply()), "created")
    })
  )
})
