// A migration dropped `<table>_migrations` where there was no table of circuits: with the table `knex`, `effect_sql` or `schema`
// that was the history of another tool. Only the columns of the table of circuits were looked at, and no text showed the DROP.
import { assert, describe, it, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { SqlClient, Statement } from "effect/sql"
import * as CircuitMigration from "../../src/store/CircuitMigration.ts"
import * as CircuitStore from "../../src/store/CircuitStore.ts"
import * as CircuitStoreSql from "../../src/store/CircuitStoreSql.ts"
import * as CircuitTableSql from "../../src/store/CircuitTableSql.ts"
import * as CircuitHistory from "../../src/testing/internal/CircuitHistory.ts"
import * as Postgres from "../support/postgres.ts"
import * as Sqlite from "../support/sqlite.ts"

const tools = {
  knex: {
    create: "CREATE TABLE knex_migrations (id integer PRIMARY KEY, name text, batch integer, migration_time timestamp)",
    insert: "INSERT INTO knex_migrations VALUES (1, '2024_users.js', 1, CURRENT_TIMESTAMP)",
    why: "it has no step, applied_at"
  },
  effect_sql: {
    create: `CREATE TABLE effect_sql_migrations (
      migration_id integer PRIMARY KEY, created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP, name text NOT NULL)`,
    insert: "INSERT INTO effect_sql_migrations (migration_id, name) VALUES (1, 'users')",
    why: "it has no step, applied_at"
  },
  schema: {
    create: "CREATE TABLE schema_migrations (version text PRIMARY KEY)",
    insert: "INSERT INTO schema_migrations VALUES ('20240101')",
    why: "it has no step, applied_at"
  },
  almost: {
    create: "CREATE TABLE almost_migrations (step integer PRIMARY KEY, applied_at timestamp, name text)",
    insert: "INSERT INTO almost_migrations VALUES (1, CURRENT_TIMESTAMP, 'users')",
    why: "it also has name"
  }
}

const names = ["knex", "effect_sql", "schema", "almost"] as const

/** Checks that a database keeps the table of a tool, whatever runs for that name. */
const survives = (sql: SqlClient.SqlClient, table: (typeof names)[number], schema: string) =>
  Effect.gen(function* () {
    const { create, insert, why } = tools[table]
    const within = Effect.provideService(SqlClient.SqlClient, sql)
    yield* sql.unsafe(create)
    yield* sql.unsafe(insert)
    const rows = sql.unsafe(`SELECT * FROM ${table}_migrations`)
    const before = yield* rows
    const message = `table ${schema}.${table}_migrations exists and was not made by this library (${why}): rename it, or choose another name with the option \`table\``

    assert.strictEqual((yield* Effect.flip(within(CircuitMigration.pending({ table })))).message, message)
    assert.strictEqual((yield* Effect.flip(within(CircuitMigration.apply({ table })))).message, message)
    const store = Context.get(
      yield* Layer.build(
        CircuitStoreSql.layer({ table, log: false }).pipe(Layer.provide(Layer.succeed(SqlClient.SqlClient, sql)))
      ),
      CircuitStore.CircuitStore
    )
    yield* store.update(new CircuitHistory.Cell(), 0, (state) => [
      { _tag: "HeldOpen", generation: state.generation + 1, since: 1 },
      undefined
    ])
    assert.strictEqual((yield* store.status).lastError, message)
    assert.deepStrictEqual(yield* rows, before)
    assert.lengthOf(yield* sql.unsafe(tables[schema] ?? ""), 1)
  })

const tables: { readonly [schema: string]: string } = {
  public: "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
  main: "SELECT name FROM sqlite_master WHERE type = 'table'"
}

/** Makes a view of the columns that a table of ours has. */
const viewOf = (name: string) =>
  `CREATE VIEW ${name} AS SELECT 'a' AS namespace, 'a' AS resource_key, 1 AS version, 'CLOSED' AS state, 0 AS failure_count,
    NULL AS open_until, '' AS data, 'a' AS updated_by, 0 AS updated_at, 0 AS used_at`

const refused = (sql: SqlClient.SqlClient, table?: string) =>
  Effect.map(
    Effect.flip(Effect.provideService(CircuitMigration.apply({ table }), SqlClient.SqlClient, sql)),
    ({ message }) => message.split(": rename it")[0]
  )

/** Checks what holds in both databases. */
const others = (sql: SqlClient.SqlClient, schema: string) =>
  Effect.gen(function* () {
    const within = Effect.provideService(SqlClient.SqlClient, sql)
    const refusal = (what: string, why = "") => `${what} exists and was not made by this library${why}`

    yield* sql.unsafe(viewOf("a_view"))
    yield* sql.unsafe(viewOf("b_migrations"))
    yield* sql.unsafe("CREATE TABLE c_updated_at (id integer)")
    assert.strictEqual(yield* refused(sql, "a_view"), refusal(`view ${schema}.a_view`))
    assert.strictEqual(yield* refused(sql, "b"), refusal(`view ${schema}.b_migrations`))
    assert.strictEqual(yield* refused(sql, "c"), refusal(`table ${schema}.c_updated_at`))

    // The table of circuits is another one than the table of steps says.
    yield* within(CircuitMigration.apply({ table: "d" }))
    yield* sql.unsafe("DROP TABLE d")
    yield* sql.unsafe("CREATE TABLE d (namespace text, version integer, data text, updated_by text, used_at integer)")
    assert.strictEqual(
      yield* refused(sql, "d"),
      refusal(`table ${schema}.d`, " (it has no resource_key, state, failure_count, open_until, updated_at)")
    )
    yield* sql.unsafe("DROP TABLE d")
    yield* sql.unsafe("INSERT INTO d_migrations (step) VALUES (99)")
    assert.strictEqual(yield* within(CircuitMigration.apply({ table: "d" })), "created")
    assert.deepStrictEqual(yield* sql.unsafe("SELECT step FROM d_migrations ORDER BY step"), [{ step: 1 }, { step: 2 }])
    assert.isDefined((yield* within(CircuitTableSql.make({ table: "d" }))).read)
  })

/** Checks that all statements that can change something are shown, for a new table, an older one and a dropped one. */
const shown = (sql: SqlClient.SqlClient, dialect: CircuitMigration.Dialect) =>
  Effect.gen(function* () {
    const all = CircuitMigration.steps(dialect).flatMap(({ statements }) => statements)
    const text = [CircuitMigration.show(CircuitMigration.steps(dialect)), ...CircuitMigration.remake()].join("\n")
    const ran: Array<string> = []
    const apply = CircuitMigration.apply().pipe(
      Effect.provideService(SqlClient.SqlClient, sql),
      Effect.provideService(Statement.CurrentTransformer, (statement) =>
        Effect.sync(() => {
          ran.push(statement.compile()[0])
          return statement
        })
      )
    )
    yield* apply
    yield* sql.unsafe("DROP TABLE resilience_circuits")
    yield* apply
    yield* sql.unsafe("DROP INDEX resilience_circuits_updated_at")
    yield* sql.unsafe("DELETE FROM resilience_circuits_migrations WHERE step = 2")
    yield* apply
    const changing = ran.filter((statement) => !/^\s*(SELECT|BEGIN|COMMIT)/i.test(statement))
    assert.lengthOf(changing, all.length + all.length + 2)
    for (const statement of changing) assert.include(text, statement)
    assert.notMatch(text + ran.join("\n"), /\b(drop|truncate)\b/i)
  })

describe("SQLite keeps what is not ours:", () => {
  for (const table of names) {
    it.live(`${table}_migrations`, () => Effect.flatMap(Sqlite.make(), (sql) => survives(sql, table, "main")))
  }
  it.live("views, indexes, and tables of our name", () => Effect.flatMap(Sqlite.make(), (sql) => others(sql, "main")))
  it.live("all that can run is shown", () => Effect.flatMap(Sqlite.make(), (sql) => shown(sql, "sqlite")))
  it.live("a temporary table, which hides all others", () =>
    Effect.gen(function* () {
      const sql = yield* Sqlite.make()
      yield* sql`CREATE TEMPORARY TABLE z_migrations (step integer, applied_at timestamp)`
      assert.include(yield* refused(sql, "z"), "temporary table temp.z_migrations exists")
      assert.lengthOf(yield* sql`SELECT * FROM temp.z_migrations`, 0)
      assert.lengthOf(yield* sql`SELECT * FROM main.sqlite_master`, 0)
    })
  )
  it.live("a table of a database that was attached", () =>
    Effect.gen(function* () {
      const sql = yield* Sqlite.make()
      yield* sql`ATTACH DATABASE ':memory:' AS ops`
      yield* Effect.provideService(CircuitMigration.apply({ table: "ops.x" }), SqlClient.SqlClient, sql)
      assert.include(yield* refused(sql, "x"), "x leads to another table")
      yield* sql`CREATE TABLE ops.y_migrations (id integer)`
      assert.include(yield* refused(sql, "ops.y"), "table ops.y_migrations exists")
      yield* Effect.provideService(CircuitMigration.apply({ table: "y" }), SqlClient.SqlClient, sql)
      assert.lengthOf(yield* sql`SELECT * FROM main.y_migrations`, 2)
      assert.lengthOf(yield* sql`SELECT * FROM ops.y_migrations`, 0)
    })
  )
})

layer(Postgres.layer, { excludeTestServices: true, timeout: "60 seconds" })(
  "PostgreSQL keeps what is not ours:",
  (it) => {
    const open = Effect.gen(function* () {
      const server = yield* Postgres.Server
      const url = yield* server.database
      return { server, url, sql: yield* server.client(url) }
    })
    for (const table of names) {
      it.effect(`${table}_migrations`, () => Effect.flatMap(open, ({ sql }) => survives(sql, table, "public")))
    }
    it.effect("views, indexes, and tables of our name", () => Effect.flatMap(open, ({ sql }) => others(sql, "public")))
    it.effect("all that can run is shown", () => Effect.flatMap(open, ({ sql }) => shown(sql, "pg")))
    it.effect("sequences and types", () =>
      Effect.gen(function* () {
        const { sql } = yield* open
        yield* sql`CREATE SEQUENCE e`
        yield* sql`CREATE TYPE f AS (a integer)`
        yield* sql`CREATE MATERIALIZED VIEW g_migrations AS SELECT 1 AS step, now() AS applied_at`
        yield* sql`CREATE DOMAIN h AS integer`
        assert.include(yield* refused(sql, "e"), "sequence public.e exists")
        assert.include(yield* refused(sql, "f"), "composite type public.f exists")
        assert.include(yield* refused(sql, "g"), "materialized view public.g_migrations exists")
        assert.include(yield* refused(sql, "h"), "database failed:")
      })
    )
    it.effect("tables of other schemas on the search path", () =>
      Effect.gen(function* () {
        const { server, sql, url } = yield* open
        yield* sql`CREATE SCHEMA app`
        const app = yield* server.client(url, { startupParameters: { search_path: "app, public" } })
        const apply = (table: string) =>
          Effect.provideService(CircuitMigration.apply({ table }), SqlClient.SqlClient, app)
        // In a later schema, a table of another tool is not in the way, and is not touched.
        yield* sql`CREATE TABLE public.knex_migrations (id integer)`
        assert.strictEqual(yield* apply("knex"), "created")
        assert.lengthOf(yield* sql`SELECT * FROM app.knex_migrations`, 2)
        assert.lengthOf(yield* sql`SELECT * FROM public.knex_migrations`, 0)
        // In an earlier one it would get the steps of ours.
        yield* apply("public.x")
        assert.strictEqual(yield* apply("x"), "current")
        yield* sql`CREATE TABLE app.x_migrations (step integer, applied_at timestamp)`
        assert.strictEqual(
          yield* refused(app, "x"),
          "x_migrations leads to another table than public.x_migrations: write the option `table` with its schema, as public.x"
        )
        assert.lengthOf(yield* sql`SELECT * FROM app.x_migrations`, 0)
        // A table of a session hides all others.
        const one = yield* server.client(url, { maxConnections: 1 })
        yield* one`CREATE TEMPORARY TABLE z_migrations (step integer, applied_at timestamp)`
        assert.match((yield* refused(one, "z")) ?? "", /^temporary table pg_temp_\d+.z_migrations exists/)
      })
    )
  }
)
