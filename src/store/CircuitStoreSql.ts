/**
 * Store that shares circuits through a SQL database.
 *
 * **Details**
 *
 * - The layer works over a `SqlClient` of `effect/sql` for PostgreSQL or SQLite.
 *   With that of `@effect/sql-pg` changes are announced with NOTIFY, with others
 *   the store asks for them every `pollEvery`.
 * - A healthy call does not ask the database. `CircuitStoreTable` describes how
 *   circuits are kept in step, also while the database is away.
 * - The first operation creates the table, or brings it up to date. Where the
 *   process may not do that, run `resilience setup`, or the SQL that it shows.
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
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import * as SqlClient from "effect/sql/SqlClient"
import * as ConfigSchema from "../core/internal/ConfigSchema.ts"
import * as Rules from "../core/internal/Rules.ts"
import * as CircuitMigration from "./CircuitMigration.ts"
import type * as CircuitStore from "./CircuitStore.ts"
import * as CircuitStoreTable from "./CircuitStoreTable.ts"
import type * as CircuitTable from "./CircuitTable.ts"
import * as CircuitTableSql from "./CircuitTableSql.ts"
import * as SqlOperation from "./internal/SqlOperation.ts"
import * as StoreOptions from "./internal/StoreOptions.ts"

/**
 * Options of the store. All have defaults.
 */
export interface Options extends CircuitStoreTable.Options, CircuitTableSql.Options {
  /** Whether to create the table, or bring it up to date. Default: true. */
  readonly migrate?: boolean | undefined
}

/**
 * Values of the options that are not given.
 */
export const defaults = { ...CircuitStoreTable.defaults, ...CircuitTableSql.defaults, migrate: true } as const

/**
 * Options, checked and with their defaults. Durations are in milliseconds.
 */
export interface Resolved extends CircuitStoreTable.Resolved, CircuitTableSql.Resolved {
  readonly migrate: boolean
}

const module = "CircuitStoreSql"

/**
 * Checks options and fills in the defaults. Throws an `InvalidOptionError`.
 */
export const resolve = (options: Options = {}): Resolved => ({
  ...CircuitStoreTable.resolve(options),
  ...CircuitTableSql.resolve(options),
  migrate: Rules.boolean(module, "migrate", options.migrate ?? defaults.migrate)
})

/**
 * Options in JSON.
 */
export interface ConfigJson extends CircuitStoreTable.ConfigJson, CircuitTableSql.ConfigJson {
  readonly migrate?: boolean
}

/**
 * Schema of the options, to read them from JSON, or from the environment through
 * `Config.schema` of Effect.
 */
export const Config: Schema.Codec<Options, ConfigJson> = /* @__PURE__ */ (() => {
  const text = Schema.optionalKey(Schema.String)
  const migrate = Schema.optionalKey(Schema.Boolean)
  return ConfigSchema.checked(
    ConfigSchema.struct({ ...StoreOptions.fields(), table: text, namespace: text, migrate }),
    resolve
  )
})()

/**
 * Returns the options with their defaults, as JSON that `Config` reads. Durations
 * are in milliseconds.
 */
export const describe = (options?: Options): ConfigJson => {
  const { migrate } = resolve(options)
  return { ...CircuitStoreTable.describe(options), ...CircuitTableSql.describe(options), migrate }
}

/**
 * Provides the store. The layer throws an `InvalidOptionError` as a defect for
 * options that break a rule, and for the client of another database. It does not
 * fail where the database is away.
 */
export const layer = (options?: Options): Layer.Layer<CircuitStore.CircuitStore, never, SqlClient.SqlClient> => {
  const table = Effect.suspend(() => {
    const { migrate } = resolve(options)
    const made = CircuitTableSql.make(options)
    return migrate ? Effect.flatMap(made, migrated(options)) : made
  })
  return CircuitStoreTable.layer(table, options)
}

// The database may be away when the process starts, so this belongs to the first operation.
const migrated =
  (options: Options | undefined) =>
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
      const { listen } = table
      return {
        read: (keys) => after(table.read(keys)),
        changes: (since) => after(table.changes(since)),
        write: (draft, expected) => after(table.write(draft, expected)),
        sweep: (sweep) => after(table.sweep(sweep)),
        listen: listen === undefined ? undefined : (hear) => after(listen(hear))
      }
    })
