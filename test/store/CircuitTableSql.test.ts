import { PgClient } from "@effect/sql-pg"
import { assert, describe, layer } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Queue, Scope } from "effect"
import { SqlClient } from "effect/sql"
import * as CircuitMigration from "../../src/store/CircuitMigration.ts"
import type * as CircuitTable from "../../src/store/CircuitTable.ts"
import * as CircuitTableSql from "../../src/store/CircuitTableSql.ts"
import { InvalidOptionError } from "../../src/core/Options.ts"
import { draft, force, fresh, listen, readOne, suite } from "../suites/CircuitTableSuite.ts"
import * as Postgres from "../support/postgres.ts"
import * as Sqlite from "../support/sqlite.ts"

const withClient =
  (sql: SqlClient.SqlClient) =>
  <A, E, R>(effect: Effect.Effect<A, E, R | SqlClient.SqlClient>) =>
    Effect.provideService(effect, SqlClient.SqlClient, sql)

/** Opens a client of a database that has no table. */
const openEmpty = Effect.gen(function* () {
  const server = yield* Postgres.Server
  const url = yield* server.database
  const sql = yield* server.client(url)
  return { server, url, sql, within: withClient(sql) }
})

/** Opens a client of a database with a table. */
const open = Effect.gen(function* () {
  const opened = yield* openEmpty
  yield* opened.within(CircuitMigration.apply())
  return { ...opened, table: yield* opened.within(CircuitTableSql.make()) }
})

const defectOf = (exit: Exit.Exit<unknown, unknown>): unknown =>
  Exit.isFailure(exit) ? exit.cause.reasons.filter(Cause.isDieReason)[0]?.defect : undefined

const stepsOf = Effect.map(CircuitMigration.pending(), (steps) => steps.map(({ id }) => id))

layer(Postgres.layer, { excludeTestServices: true, timeout: "60 seconds" })("PostgreSQL", (it) => {
  // The suite has namespaces of its own, and needs no database for each test.
  let shared: { readonly server: Postgres.Postgres; readonly url: string } | undefined
  it.effect("starts", () =>
    Effect.map(open, ({ server, url }) => {
      shared = { server, url }
    })
  )
  suite(
    "PostgreSQL",
    Effect.sync(() => {
      const { server, url } = shared!
      return {
        table: (namespace = fresh()) =>
          Effect.gen(function* () {
            const sql = yield* server.client(url)
            const table = yield* withClient(sql)(CircuitTableSql.make({ namespace }))
            return {
              ...table,
              spoil: (key, version) =>
                Effect.orDie(sql`UPDATE resilience_circuits SET version = ${version}::bigint
                  WHERE namespace = ${namespace} AND resource_key = ${key}`)
            }
          })
      }
    }),
    { live: true }
  )

  describe("a migration", () => {
    it.effect("makes the table once, of 20 clients that begin at the same time", () =>
      Effect.gen(function* () {
        const { server, url } = yield* openEmpty
        // Whatever the database's own isolation is.
        for (const isolation of ["read committed", "serializable"]) {
          const table = `circuits_${isolation.slice(0, 4)}`
          const outcomes = yield* Effect.all(
            Array.from({ length: 20 }, () =>
              Effect.scoped(
                Effect.flatMap(
                  server.client(url, { startupParameters: { default_transaction_isolation: isolation } }),
                  (sql) => withClient(sql)(CircuitMigration.apply({ table }))
                )
              )
            ),
            { concurrency: "unbounded" }
          )
          assert.deepStrictEqual(outcomes.toSorted(), ["created", ...Array.from({ length: 19 }, () => "current")])
        }
      })
    )

    it.effect("brings an older table up to date where it is, and keeps its rows", () =>
      Effect.gen(function* () {
        const { sql, within } = yield* openEmpty
        const [first] = CircuitMigration.steps("pg")
        for (const statement of first!.statements) yield* sql.unsafe(statement)
        const table = yield* within(CircuitTableSql.make())
        for (const key of ["a", "b"]) yield* table.write(draft(key), 0)
        const { rows } = yield* table.changes(undefined)
        assert.lengthOf(rows, 2)
        assert.deepStrictEqual(yield* within(stepsOf), [2])
        const outcomes = yield* Effect.all(
          Array.from({ length: 8 }, () => within(CircuitMigration.apply())),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(outcomes.toSorted(), [...Array.from({ length: 7 }, () => "current"), "updated"])
        assert.deepStrictEqual(yield* within(stepsOf), [])
        assert.deepStrictEqual((yield* table.changes(undefined)).rows, rows)
        const indexes = yield* sql`SELECT indexname FROM pg_indexes WHERE tablename = 'resilience_circuits'`
        assert.lengthOf(indexes, 2)
      })
    )

    it.effect("can be shown, and run by hand", () =>
      Effect.gen(function* () {
        const { sql, within } = yield* openEmpty
        const all = CircuitMigration.steps("pg", { table: "public.by_hand" })
        const text = CircuitMigration.show(all)
        for (const statement of text.split(/;$/m).filter((each) => each.trim() !== "")) yield* sql.unsafe(statement)
        assert.strictEqual(yield* within(CircuitMigration.apply({ table: "public.by_hand" })), "current")
        assert.strictEqual(yield* within(CircuitMigration.apply({ table: "by_hand" })), "current")
      })
    )

    it.effect("refuses a table that others made, and leaves it as it is", () =>
      Effect.gen(function* () {
        const { sql, within } = yield* openEmpty
        yield* sql`CREATE TABLE resilience_circuits (resource_key text PRIMARY KEY, state text,
          failure_count integer, open_until timestamptz, updated_at timestamptz)`
        yield* sql`INSERT INTO resilience_circuits VALUES ('a', 'OPEN', 3, NULL, now())`
        for (const refused of [CircuitMigration.apply(), CircuitMigration.pending()]) {
          const { message } = yield* Effect.flip(
            Effect.asVoid(within<unknown, CircuitTable.TableError, never>(refused))
          )
          assert.strictEqual(
            message,
            "table public.resilience_circuits exists and was not made by this library (it has no namespace, version, data, updated_by, used_at): rename it, or choose another name with the option `table`"
          )
        }
        assert.lengthOf(yield* sql`SELECT * FROM resilience_circuits`, 1)
        const { message } = yield* Effect.flip((yield* within(CircuitTableSql.make())).read(["a"]))
        assert.include(message, "table resilience_circuits is not up to date: run `resilience setup`")
      })
    )

    it.effect("makes a table again that somebody dropped", () =>
      Effect.gen(function* () {
        const { sql, table, within } = yield* open
        yield* sql`DROP TABLE resilience_circuits`
        assert.strictEqual(yield* within(CircuitMigration.apply()), "created")
        assert.isDefined(yield* table.write(draft("a"), 0))
      })
    )

    it.effect("leaves a table alone that a newer version made", () =>
      Effect.gen(function* () {
        const { sql, within } = yield* open
        yield* sql`INSERT INTO resilience_circuits_migrations (step) VALUES (99)`
        assert.strictEqual(yield* within(CircuitMigration.apply()), "current")
      })
    )

    it.effect("is all or nothing, also within a transaction that is undone", () =>
      Effect.gen(function* () {
        const { sql, within } = yield* openEmpty
        yield* sql`CREATE TABLE other (id integer)`
        yield* sql`CREATE INDEX resilience_circuits_updated_at ON other (id)`
        yield* Effect.flip(within(CircuitMigration.apply()))
        yield* sql`DROP TABLE other`
        yield* Effect.flip(
          sql.withTransaction(Effect.andThen(within(CircuitMigration.apply()), Effect.fail("undone" as const)))
        )
        assert.strictEqual(yield* within(CircuitMigration.apply()), "current")
      })
    )

    it.effect("needs no more than to read a table that is up to date", () =>
      Effect.gen(function* () {
        const { server, sql, url } = yield* open
        yield* sql`CREATE ROLE app LOGIN PASSWORD 'app'`.pipe(Effect.ignore)
        yield* sql`GRANT SELECT, INSERT, UPDATE, DELETE ON resilience_circuits TO app`
        yield* sql`GRANT SELECT ON resilience_circuits_migrations TO app`
        const app = yield* server.client(url.replace(/\/\/[^@]*@/, "//app:app@"))
        assert.strictEqual(yield* withClient(app)(CircuitMigration.apply()), "current")
        const table = yield* withClient(app)(CircuitTableSql.make())
        assert.isDefined(yield* table.write(draft("a"), 0))
        assert.strictEqual(yield* table.sweep({ used: ["a"], idleMillis: 1, limit: 1 }), 0)
        const { message } = yield* Effect.flip(withClient(app)(CircuitMigration.apply({ table: "another" })))
        assert.strictEqual(
          message,
          "the role app lacks CREATE on schema public: GRANT CREATE ON SCHEMA public TO app, or let another role run `resilience setup`"
        )
      })
    )
  })

  describe("a table of circuits", () => {
    it.effect("shows its rows to people", () =>
      Effect.gen(function* () {
        const { sql, table } = yield* open
        yield* table.write(draft("a", { state: "OPEN", failureCount: 3, openUntil: 1_800_000_000_123.7 }), 0)
        yield* table.write(draft("b"), 0)
        const rows = yield* sql<{
          resource_key: string
          state: string
          failure_count: number
          open_until: Date
          updated_at: Date
        }>`SELECT resource_key, state, failure_count,
          open_until, updated_at FROM resilience_circuits WHERE state = 'OPEN'`
        const row = yield* readOne(table, "a")
        assert.deepStrictEqual(
          rows.map(({ open_until, updated_at, ...rest }) => ({
            ...rest,
            open_until: Number(open_until),
            updated_at: Number(updated_at)
          })),
          [
            {
              resource_key: "a",
              state: "OPEN",
              failure_count: 3,
              open_until: 1_800_000_000_123,
              updated_at: row!.updatedAt
            }
          ]
        )
      })
    )

    it.effect("writes and tells in one statement", () =>
      Effect.gen(function* () {
        const { sql, table } = yield* open
        yield* sql`CREATE EXTENSION IF NOT EXISTS pg_stat_statements`.pipe(Effect.ignore)
        const transactions = Effect.map(
          sql<{ n: number }>`SELECT (pg_current_xact_id()::text)::float8 AS n`,
          (rows) => rows[0]!.n
        )
        const before = yield* transactions
        const version = yield* table.write(draft("a"), 0)
        yield* table.write(draft("a"), version!)
        // One for each write, and one for the question.
        assert.strictEqual((yield* transactions) - before, 3)
      })
    )

    it.effect("is no part of a transaction of its caller", () =>
      Effect.gen(function* () {
        const { sql, table } = yield* open
        yield* Effect.flip(
          sql.withTransaction(
            Effect.gen(function* () {
              assert.isDefined(yield* table.write(draft("a"), 0))
              return yield* Effect.fail("undone" as const)
            })
          )
        )
        assert.isDefined(yield* readOne(table, "a"))
      })
    )

    it.effect("works with a client that renames what it reads and writes", () =>
      Effect.gen(function* () {
        const { server, url } = yield* open
        const sql = yield* server.client(url, {
          transformResultNames: (name) => name.replace(/_(.)/g, (_, char: string) => char.toUpperCase()),
          transformQueryNames: (name) => name.replace(/[A-Z]/g, (char) => `_${char.toLowerCase()}`)
        })
        assert.strictEqual(yield* withClient(sql)(CircuitMigration.apply()), "current")
        const table = yield* withClient(sql)(CircuitTableSql.make())
        const version = yield* table.write(draft("a", { updatedBy: "p" }), 0)
        const row = yield* readOne(table, "a")
        assert.deepStrictEqual([row?.version, row?.updatedBy], [version, "p"])
      })
    )

    it.effect("lets one of two writers win where transactions are serializable", () =>
      Effect.gen(function* () {
        const { server, url } = yield* open
        const sql = yield* server.client(url, { startupParameters: { default_transaction_isolation: "serializable" } })
        const table = yield* withClient(sql)(CircuitTableSql.make())
        for (let round = 0; round < 20; round++) {
          const version = yield* force(table, draft("a"))
          const versions = yield* Effect.all(
            Array.from({ length: 8 }, () => table.write(draft("a"), version)),
            { concurrency: "unbounded" }
          )
          assert.lengthOf(
            versions.filter((each) => each !== undefined),
            1
          )
        }
      })
    )

    it.effect("goes by the clock of the database", () =>
      Effect.gen(function* () {
        const { sql, table } = yield* open
        const [clock] = yield* sql<{
          now: number
        }>`SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now`
        const { now } = yield* table.read([])
        assert.isAtLeast(now, Math.floor(clock!.now))
        const version = yield* table.write(draft("a"), 0)
        assert.isAtLeast(version!, now * 1000)
        assert.isBelow(version! - now * 1000, 5_000_000)
      })
    )

    it.effect("can be in another schema", () =>
      Effect.gen(function* () {
        const { sql, within } = yield* openEmpty
        const options = { table: "ops.circuits" }
        const missing = yield* Effect.flip(within(CircuitMigration.apply(options)))
        assert.strictEqual(missing.message, `schema "ops" does not exist: make it first`)
        yield* sql`CREATE SCHEMA ops`
        assert.strictEqual(yield* within(CircuitMigration.apply(options)), "created")
        const table = yield* within(CircuitTableSql.make(options))
        const feed = yield* listen(table.listen!)
        const version = yield* table.write(draft("a"), 0)
        assert.strictEqual((yield* Queue.take(feed)).version, version)
      })
    )
  })

  describe("a listener", () => {
    it.effect("takes what others send to its channel for hints, and skips those of another space", () =>
      Effect.gen(function* () {
        const { sql, table } = yield* open
        const space = "resilience_circuits:default"
        const feed = yield* listen(table.listen!)
        const [{ channel } = { channel: "" }] = yield* sql<{
          channel: string
        }>`SELECT regexp_replace(query, '.*"(.*)"', '\\1')
          AS channel FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()`
        assert.match(channel, /^effect_resilience_[0-9a-f]{16}$/)
        for (const payload of [
          `{"space":"x","resourceKey":"a","version":1,"data":"","updatedBy":"","updatedAt":1}`,
          ...["", "nonsense", "{}", `{"space":1}`, "[]", `{"space":"${space}"}`, "null"],
          JSON.stringify({ space, resourceKey: "old", version: 3, data: "{}", updatedBy: "me", updatedAt: 1 }),
          JSON.stringify({ space, resourceKey: "long" })
        ]) {
          yield* sql.notify(channel, payload)
        }
        const version = yield* table.write(draft("a"), 0)
        const senseless = { resourceKey: undefined, version: undefined }
        assert.deepStrictEqual(yield* Queue.takeN(feed, 10), [
          ...Array.from({ length: 7 }, () => senseless),
          { resourceKey: "old", version: 3 },
          { resourceKey: "long", version: undefined },
          { resourceKey: "a", version }
        ])
        assert.strictEqual(yield* Queue.size(feed), 0)
      })
    )

    it.effect("fails when its connection is lost, and can begin again", () =>
      Effect.gen(function* () {
        const { sql, table } = yield* open
        const feed = yield* listen(table.listen!)
        yield* sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE query LIKE 'LISTEN%' AND datname = current_database()`
        const error = yield* Effect.flip(Queue.take(feed))
        assert.strictEqual(error._tag, "TableError")
        assert.include(error.message, "terminating connection due to administrator command")
        const again = yield* listen(table.listen!)
        const version = yield* table.write(draft("a"), 0)
        assert.strictEqual((yield* Queue.take(again)).version, version)
      })
    )

    it.effect("is not there where the client is no PgClient, or has one connection", () =>
      Effect.gen(function* () {
        const { server, sql, url } = yield* open
        const one = yield* server.client(url, { maxConnections: 1 })
        assert.isUndefined((yield* withClient(one)(CircuitTableSql.make())).listen)
        const { "~@effect/sql-pg/PgClient": _, ...plain } = sql
        const other = Object.assign(sql.unsafe.bind(undefined), plain) as unknown as SqlClient.SqlClient
        Object.assign(other, { withoutTransforms: () => sql })
        const table = yield* withClient(other)(CircuitTableSql.make())
        assert.isUndefined(table.listen)
        assert.isDefined(yield* table.write(draft("a"), 0))
      })
    )
  })

  describe("an option that breaks a rule is refused:", () => {
    for (const table of ["", "Circuits", "a-b", "a.b.c", ".a", "a.", "1a", 'a"b', "a; drop", "a".repeat(42), 5]) {
      it.effect(`table ${JSON.stringify(table)}`, () =>
        Effect.gen(function* () {
          const { within } = yield* openClient
          const options = { table: table as string }
          assert.throws(() => CircuitMigration.steps("pg", options), InvalidOptionError)
          for (const effect of [CircuitTableSql.make(options), CircuitMigration.apply(options)]) {
            const defect = defectOf(yield* Effect.exit(within<unknown, unknown, never>(effect)))
            assert.instanceOf(defect, InvalidOptionError)
            assert.deepStrictEqual([defect.module, defect.field, defect.value], ["CircuitStoreSql", "table", table])
          }
        })
      )
    }
    for (const namespace of ["", " ", "a\0b", "a\nb", "\ud800", "a".repeat(101), 5]) {
      it.effect(`namespace ${JSON.stringify(namespace)}`, () =>
        Effect.gen(function* () {
          const { within } = yield* openClient
          const defect = defectOf(yield* Effect.exit(within(CircuitTableSql.make({ namespace: namespace as string }))))
          assert.instanceOf(defect, InvalidOptionError)
          assert.deepStrictEqual([defect.field, defect.value], ["namespace", namespace])
        })
      )
    }
    it.effect("client of another database", () =>
      Effect.gen(function* () {
        const { sql } = yield* openClient
        const other = { ...sql, onDialectOrElse: (cases: { mysql: () => unknown }) => cases.mysql() }
        const within = withClient(other as unknown as SqlClient.SqlClient)
        const defect = defectOf(yield* Effect.exit(within(CircuitTableSql.make())))
        assert.instanceOf(defect, InvalidOptionError)
        assert.strictEqual(defect.message, `CircuitStoreSql: client must be one of PostgreSQL or SQLite, got "mysql"`)
      })
    )
  })

  describe("an error says in one line", () => {
    const messageAt = (url: string, config?: PgClient.PgPoolConfig) =>
      Effect.gen(function* () {
        const server = yield* Postgres.Server
        const sql = yield* server.client(url, config)
        const table = yield* withClient(sql)(CircuitTableSql.make())
        const errors = yield* Effect.all([
          Effect.flip(table.read(["a"])),
          Effect.flip(table.changes(undefined)),
          Effect.flip(table.write(draft("a"), 0)),
          Effect.flip(table.sweep({ used: [], idleMillis: 1, limit: 1 })),
          Effect.flip(Effect.scoped(listen(table.listen!)))
        ])
        assert.deepStrictEqual(
          errors.map(({ _tag }) => _tag),
          errors.map(() => "TableError")
        )
        return errors.map(({ message }) => message)
      })

    it.effect("that the table does not exist", () =>
      Effect.gen(function* () {
        const { within } = yield* openEmpty
        const table = yield* within(CircuitTableSql.make())
        const version = yield* Effect.flip(table.write(draft("a"), 0))
        assert.strictEqual(
          version.message,
          "table resilience_circuits does not exist: run `resilience setup`, or give the layer the option `migrate`"
        )
      })
    )

    it.effect("that the login was refused, without the password", () =>
      Effect.gen(function* () {
        const { url } = yield* Postgres.Server
        const messages = yield* messageAt(url.replace(/\/\/[^@]*@/, "//postgres:s3cret@"))
        for (const message of messages) {
          assert.strictEqual(message, `database refused the login: password authentication failed for user "postgres"`)
        }
      })
    )

    it.effect("that the database does not exist", () =>
      Effect.gen(function* () {
        const { url } = yield* Postgres.Server
        for (const message of yield* messageAt(`${url}_not`)) {
          assert.strictEqual(message, `database "postgres_not" does not exist: make it first`)
        }
      })
    )

    it.effect("that the server cannot be reached", () =>
      Effect.gen(function* () {
        for (const message of yield* messageAt("postgres://me:s3cret@127.0.0.1:1/x")) {
          assert.strictEqual(message, "database cannot be reached: connect ECONNREFUSED 127.0.0.1:1")
        }
        for (const message of yield* messageAt("postgres://me:s3cret@localhost:1/x")) {
          assert.match(message, /^database cannot be reached: connect ECONNREFUSED/)
        }
        for (const message of yield* messageAt("postgres://me:s3cret@no-host.invalid/x")) {
          assert.match(message, /^database cannot be reached: getaddrinfo [A-Z_]+ no-host\.invalid$/)
        }
      })
    )
  })

  describe("a server that is gone", () => {
    it.effect("lets operations fail, and answers again when it is back", () =>
      Effect.gen(function* () {
        const { server, table } = yield* open
        const version = yield* table.write(draft("a"), 0)
        const feed = yield* listen(table.listen!)
        yield* Effect.ensuring(
          Effect.gen(function* () {
            yield* server.stop
            assert.strictEqual((yield* Effect.flip(Queue.take(feed)))._tag, "TableError")
            assert.match((yield* Effect.flip(table.read(["a"]))).message, /^database cannot be reached/)
            assert.match(
              (yield* Effect.flip(Effect.scoped(listen(table.listen!)))).message,
              /^database cannot be reached/
            )
          }),
          server.start
        )
        assert.strictEqual((yield* readOne(table, "a"))?.version, version)
        const again = yield* listen(table.listen!)
        const next = yield* table.write(draft("a"), version!)
        assert.strictEqual((yield* Queue.take(again)).version, next)
      })
    )

    it.effect("lets an interrupted operation, and a listener, end at once while it is frozen", () =>
      Effect.gen(function* () {
        const { server, sql, table } = yield* open
        // Connections for all, as a new one could be given up at once.
        yield* Effect.all(
          Array.from({ length: 6 }, () => sql`SELECT pg_sleep(0.1)`),
          { concurrency: 6 }
        )
        const scope = yield* Scope.make()
        yield* Scope.provide(listen(table.listen!), scope)
        const operations: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
          table.read(["a"]),
          table.write(draft("a"), 0),
          Effect.scoped(listen(table.listen!))
        ]
        yield* Effect.ensuring(
          Effect.gen(function* () {
            yield* server.freeze
            const fibers = yield* Effect.forEach(operations, (operation) => Effect.forkChild(operation))
            yield* Effect.sleep(100)
            for (const fiber of fibers) assert.isUndefined(fiber.pollUnsafe())
            const ended = yield* Effect.timeoutOption(
              Effect.andThen(Fiber.interruptAll(fibers), Scope.close(scope, Exit.void)).pipe(
                Effect.forkDetach,
                Effect.flatMap(Fiber.join)
              ),
              1000
            )
            assert.strictEqual(ended._tag, "Some")
          }),
          server.thaw
        )
        assert.isDefined(yield* table.write(draft("b"), 0))
      })
    )
  })
})

/** Opens a client, for what does not get as far as the database. */
const openClient = Effect.gen(function* () {
  const sql = yield* Sqlite.make()
  return { sql, within: withClient(sql) }
})
