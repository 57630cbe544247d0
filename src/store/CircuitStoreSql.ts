/**
 * Store that shares circuits through a SQL database.
 *
 * **Details**
 *
 * - The layer works over a `SqlClient` of `effect/sql` for PostgreSQL or SQLite.
 *   With that of `@effect/sql-pg` changes are told by NOTIFY, with others they
 *   are asked for every `pollEvery`.
 * - A healthy call asks the database nothing. `CircuitStoreTable` says how
 *   circuits are kept in step, and what happens while the database is away.
 * - The table is made, or brought up to date, before the first operation. Where
 *   the process may not do that, `resilience setup` does, or who runs the SQL
 *   that it shows.
 *
 * **Example** (Sharing a breaker with the other processes of a service)
 *
 * ```ts no-run
 * import { PgClient } from "@effect/sql-pg"
 * import { Config, Layer } from "effect"
 * import { CircuitBreaker, CircuitStoreSql } from "effect-resilience"
 *
 * class Payments extends CircuitBreaker.Service<Payments>()("payments") {}
 *
 * const PaymentsLive = Payments.layerShared.pipe(
 *   Layer.provide(CircuitStoreSql.layer()),
 *   Layer.provide(PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") }))
 * )
 * ```
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import * as SqlClient from "effect/sql/SqlClient"
import * as CircuitMigration from "./CircuitMigration.ts"
import type * as CircuitStore from "./CircuitStore.ts"
import * as CircuitStoreTable from "./CircuitStoreTable.ts"
import type * as CircuitTable from "./CircuitTable.ts"
import * as CircuitTableSql from "./CircuitTableSql.ts"
import * as SqlOperation from "./internal/SqlOperation.ts"

/**
 * Options of the store. All have defaults.
 */
export interface Options extends CircuitStoreTable.Options, CircuitTableSql.Options {
  /** Whether to make the table, or bring it up to date. Default: true. */
  readonly migrate?: boolean | undefined
}

/**
 * Provides the store. Options that break a rule, and clients of other databases,
 * let the layer die with an `InvalidOptionError`. A database that is away does
 * not.
 */
export const layer = (options: Options = {}): Layer.Layer<CircuitStore.CircuitStore, never, SqlClient.SqlClient> => {
  const table = CircuitTableSql.make(options)
  return CircuitStoreTable.layer(options.migrate === false ? table : Effect.flatMap(table, migrated(options)), options)
}

// The database may be away when the process starts, so this belongs to the first operation.
const migrated =
  (options: Options) =>
  (table: CircuitTable.CircuitTable): Effect.Effect<CircuitTable.CircuitTable, never, SqlClient.SqlClient> =>
    Effect.map(SqlClient.SqlClient, (client) => {
      const one = Semaphore.makeUnsafe(1)
      let done = false
      const migrate = Effect.suspend(() =>
        done
          ? Effect.void
          : Effect.map(CircuitMigration.apply(options), () => {
              done = true
            })
      ).pipe(Effect.provideService(SqlClient.SqlClient, client))
      const first = Effect.suspend(() => (done ? Effect.void : Semaphore.withPermit(one, migrate)))
      // A table that somebody dropped is made again by the next operation.
      const after = <A, R>(operation: Effect.Effect<A, CircuitTable.TableError, R>) =>
        Effect.tapError(Effect.andThen(first, operation), (error) =>
          Effect.sync(() => {
            if (SqlOperation.isTableMissing(error)) done = false
          })
        )
      return {
        read: (keys) => after(table.read(keys)),
        changes: (since) => after(table.changes(since)),
        write: (draft, expected) => after(table.write(draft, expected)),
        sweep: (sweep) => after(table.sweep(sweep)),
        listen: table.listen === undefined ? undefined : after(table.listen)
      }
    })
