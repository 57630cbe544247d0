import { assert, describe, it, layer } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Queue, Schema } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient } from "effect/sql"
import { PgClient } from "@effect/sql-pg"
import * as CircuitMigration from "../src/CircuitMigration.ts"
import * as CircuitTableSql from "../src/CircuitTableSql.ts"
import { InvalidOptionError } from "../src/Options.ts"
import { draft, force, fresh, readOne, suite } from "./suites/CircuitTableSuite.ts"
import * as Postgres from "./support/postgres.ts"

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
const open = Effect.tap(openEmpty, ({ within }) => within(CircuitMigration.apply()))

const defectOf = (exit: Exit.Exit<unknown, unknown>): unknown =>
  Exit.isFailure(exit) ? exit.cause.reasons.filter(Cause.isDieReason)[0]?.defect : undefined

layer(Postgres.layer, { excludeTestServices: true, timeout: "60 seconds" })("PostgreSQL", (it) => {
  suite(
    "PostgreSQL",
    Effect.gen(function* () {
      const { server, url, within } = yield* Effect.orDie(open)
      return {
        table: (namespace = fresh()) =>
          Effect.flatMap(server.client(url), (sql) => withClient(sql)(CircuitTableSql.make({ namespace })))
      }
    }),
    { live: true }
  )
})
