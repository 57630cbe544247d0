/**
 * A small `SqlClient` over `node:sqlite`, for the examples. It runs on the
 * thread that calls it, so a query cannot be interrupted.
 */
import { Effect, identity, Layer, Semaphore, Stream } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient, SqlError, Statement } from "effect/sql"
import type { SqlConnection } from "effect/sql"
import type { SQLInputValue, StatementSync } from "node:sqlite"
import { DatabaseSync } from "node:sqlite"

const toSqlError = (cause: unknown): SqlError.SqlError => {
  // `classifySqliteError` looks at `code`, and node:sqlite calls it `errcode`.
  const error = cause instanceof Error && "errcode" in cause ? Object.assign(cause, { code: cause.errcode }) : cause
  const message = cause instanceof Error ? cause.message : String(cause)
  return new SqlError.SqlError({ reason: SqlError.classifySqliteError(error, { message, operation: "execute" }) })
}

/**
 * Opens a database until the scope closes. `busyMillis` is how long SQLite
 * itself waits for a lock.
 */
export const make = (path: string, options: { readonly busyMillis: number }) =>
  Effect.gen(function* () {
    const database = yield* Effect.acquireRelease(
      Effect.try({
        try: () => new DatabaseSync(path, { timeout: options.busyMillis }),
        catch: toSqlError
      }),
      (database) => Effect.sync(() => database.close())
    )

    const run = <A>(sql: string, use: (statement: StatementSync) => A): Effect.Effect<A, SqlError.SqlError> =>
      Effect.try({ try: () => use(database.prepare(sql)), catch: toSqlError })

    // The compiler makes only values that SQLite takes.
    const values = (params: ReadonlyArray<unknown>) => params as ReadonlyArray<SQLInputValue>

    const rows: SqlConnection.Connection["execute"] = (sql, params, transformRows) =>
      run(sql, (statement) => {
        const found = statement.all(...values(params))
        return transformRows === undefined ? found : transformRows(found)
      })

    const arrays: SqlConnection.Connection["executeValues"] = (sql, params) =>
      run(sql, (statement) => statement.all(...values(params)).map((row) => Object.values(row)))

    const connection = identity<SqlConnection.Connection>({
      execute: rows,
      executeRaw: (sql, params) => run(sql, (statement) => statement.run(...values(params))),
      executeStream: (sql, params, transformRows) =>
        Stream.unwrap(Effect.map(rows(sql, params, transformRows), Stream.fromIterable)),
      executeValues: arrays,
      executeValuesUnprepared: arrays,
      executeUnprepared: rows
    })

    return yield* SqlClient.make({
      ...SqlClient.makeSqliteAcquirers({
        connection: Effect.succeed(connection),
        semaphore: yield* Semaphore.make(1),
        isTransaction: () => database.isTransaction
      }),
      compiler: Statement.makeCompilerSqlite(),
      driver: "node-sqlite",
      spanAttributes: [["db.system.name", "sqlite"]]
    })
  }).pipe(Effect.provide(Reactivity.layer))

/**
 * Provides a `SqlClient` for a database.
 */
export const layer = (path: string, options: { readonly busyMillis: number }) =>
  Layer.effect(SqlClient.SqlClient, make(path, options))
