/**
 * A `SqlClient` over `node:sqlite`, for tests.
 */
import { Effect, Semaphore, Stream } from "effect"
import type { Scope } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient, SqlError, Statement } from "effect/sql"
import type { SqlConnection } from "effect/sql"
import { DatabaseSync } from "node:sqlite"
import type { SQLInputValue, StatementSync } from "node:sqlite"

// node:sqlite has the number as `errcode`, where the classification looks for `code`.
const failed = (cause: unknown) =>
  new SqlError.SqlError({
    reason: SqlError.classifySqliteError(
      cause instanceof Error && "errcode" in cause ? Object.assign(cause, { code: cause.errcode }) : cause,
      { message: "SQLite failed", operation: "execute" }
    )
  })

/** Opens a database, in memory where no file is named, until the scope closes. */
export const make = (file = ":memory:"): Effect.Effect<SqlClient.SqlClient, never, Scope.Scope> =>
  Effect.gen(function* () {
    const db = yield* Effect.acquireRelease(
      Effect.sync(() => new DatabaseSync(file, { timeout: 2000 })),
      (db) => Effect.sync(() => db.close())
    )
    const run = <A>(
      sql: string,
      params: ReadonlyArray<unknown>,
      body: (s: StatementSync, p: Array<SQLInputValue>) => A
    ) =>
      Effect.try({
        // Statements have parameters that SQLite knows, or it refuses them.
        try: () => body(db.prepare(sql), params as Array<SQLInputValue>),
        catch: failed
      })
    const rows = (sql: string, params: ReadonlyArray<unknown>) =>
      run(sql, params, (statement, values) => statement.all(...values).map((row) => ({ ...row })))
    const values = (sql: string, params: ReadonlyArray<unknown>) =>
      Effect.map(rows(sql, params), (found) => found.map((row) => Object.values(row)))

    const connection: SqlConnection.Connection = {
      execute: (sql, params, transform) => Effect.map(rows(sql, params), (found) => transform?.(found) ?? found),
      executeUnprepared: (sql, params, transform) =>
        Effect.map(rows(sql, params), (found) => transform?.(found) ?? found),
      executeRaw: rows,
      executeValues: values,
      executeValuesUnprepared: values,
      executeStream: () => Stream.die("not needed")
    }
    return yield* SqlClient.make({
      ...SqlClient.makeSqliteAcquirers({
        connection: Effect.succeed(connection),
        semaphore: Semaphore.makeUnsafe(1),
        isTransaction: () => db.isTransaction
      }),
      compiler: Statement.makeCompilerSqlite(),
      driver: "node:sqlite",
      spanAttributes: []
    })
  }).pipe(Effect.provide(Reactivity.layer))
