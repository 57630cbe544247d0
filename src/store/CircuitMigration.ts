/**
 * Migration of the SQL tables that circuits are shared through: its steps, as
 * text to show and to apply.
 *
 * **Details**
 *
 * - Each step is applied once, and noted in a table of its own that is named as
 *   the first with `_migrations` after it. The statements of a step note it
 *   themselves, so they can also be run by hand.
 * - All steps that are missing are applied in one transaction, under a lock.
 *   Any number of processes may begin at the same time.
 * - What others made is refused and left as it is, also where it has the name of
 *   the table of steps. Nothing is ever dropped.
 * - Tested with PostgreSQL and SQLite. Other databases are refused.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import type * as SqlError from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as ConfigSchema from "../core/internal/ConfigSchema.ts"
import * as Rules from "../core/internal/Rules.ts"
import type { TableError } from "./CircuitTable.ts"
import * as MigrationCheck from "./internal/MigrationCheck.ts"
import * as SqlOperation from "./internal/SqlOperation.ts"

/**
 * Options of a migration.
 */
export interface Options {
  /**
   * Name of the table, with its schema and a dot before it where it needs one.
   * Lower-case letters, digits and `_`. Default: `resilience_circuits`.
   */
  readonly table?: string | undefined
}

/**
 * Defaults of the options.
 */
export const defaults = { table: "resilience_circuits" } as const

/**
 * Options of a migration, checked and with their defaults.
 */
export interface Resolved {
  readonly table: string
}

// The options are those of the store.
const module = "CircuitStoreSql"

/**
 * Checks options and fills in the defaults. Throws an `InvalidOptionError`.
 */
export const resolve = ({ table = defaults.table }: Options = {}): Resolved =>
  typeof table === "string" && /^([a-z_][a-z0-9_]{0,40}\.)?[a-z_][a-z0-9_]{0,40}$/.test(table)
    ? { table }
    : Rules.reject(
        module,
        "table",
        table,
        "a name of up to 41 lower-case letters, digits and _, with a schema and a dot before it or without"
      )

/**
 * Options of a migration in JSON.
 */
export interface ConfigJson {
  readonly table?: string
}

/**
 * Schema of the options, to read them from JSON, or from the environment through
 * `Config.schema` of Effect.
 */
export const Config: Schema.Codec<Options, ConfigJson> = /* @__PURE__ */ (() =>
  ConfigSchema.checked(ConfigSchema.struct({ table: Schema.optionalKey(Schema.String) }), resolve))()

/**
 * Returns the options with their defaults, as JSON that `Config` reads.
 */
export const describe = (options?: Options): ConfigJson => resolve(options)

/**
 * Databases that there are steps for.
 */
export type Dialect = "pg" | "sqlite"

/**
 * Step of a migration.
 */
export interface Step {
  /** Number, from 1 on and without gaps. */
  readonly id: number
  /** Its purpose, in a few words. */
  readonly name: string
  /** SQL statements, without a semicolon. */
  readonly statements: ReadonlyArray<string>
}

/**
 * Outcome of a migration: it created the table, brought it up to date, or found
 * it up to date.
 */
export type Outcome = "created" | "updated" | "current"

const quote = /* @__PURE__ */ Statement.defaultEscape('"')

/**
 * Returns all steps of a migration, oldest first.
 *
 * **Example** (Showing the steps)
 *
 * ```ts
 * import { CircuitMigration } from "effect-resilience/store"
 *
 * const steps = CircuitMigration.steps("pg", { table: "ops.circuits" })
 *
 * steps.map(({ name }) => name) // => ["make the table", "index rows by when they were written"]
 * steps[1]?.statements[0] // => 'CREATE INDEX "circuits_updated_at" ON "ops"."circuits" (namespace, updated_at)'
 * ```
 */
export const steps = (dialect: Dialect, options: Options = {}): ReadonlyArray<Step> => {
  const { table: name } = resolve(options)
  const table = quote(name)
  const versions = quote(`${name}_migrations`)
  const bare = name.slice(name.indexOf(".") + 1)
  const isPg = dialect === "pg"
  // SQLite has an index in the schema that its name says, PostgreSQL in that of its table.
  const index = quote(isPg ? `${bare}_updated_at` : `${name}_updated_at`)
  const time = isPg ? "timestamptz" : "integer"
  const text = isPg ? `text COLLATE "C"` : "text"
  const noted = (id: number) => `INSERT INTO ${versions} (step) VALUES (${id})`
  return [
    {
      id: 1,
      name: "make the table",
      statements: [
        `CREATE TABLE ${table} (
  namespace ${text} NOT NULL,
  resource_key ${text} NOT NULL,
  version bigint NOT NULL,
  state text NOT NULL CHECK (state IN ('CLOSED', 'OPEN', 'HALF_OPEN', 'HELD_OPEN', 'HELD_CLOSED')),
  failure_count integer NOT NULL,
  open_until ${time},
  data text NOT NULL,
  updated_by text NOT NULL,
  updated_at ${time} NOT NULL,
  used_at ${time} NOT NULL,
  PRIMARY KEY (namespace, resource_key)
)`,
        `${createsSteps(name)}
  step integer NOT NULL PRIMARY KEY,
  applied_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP
)`,
        noted(1)
      ]
    },
    {
      id: 2,
      name: "index rows by when they were written",
      statements: [`CREATE INDEX ${index} ON ${isPg ? table : quote(bare)} (namespace, updated_at)`, noted(2)]
    }
  ]
}

/**
 * Returns the statements that take the place of those that create the table of
 * steps, if that table is left although the table of circuits was dropped.
 *
 * **Details**
 *
 * Together with those of `steps` they are all statements that `apply` can change
 * a database with. None drops anything.
 */
export const remake = (options: Options = {}): ReadonlyArray<string> => [
  `DELETE FROM ${quote(`${resolve(options).table}_migrations`)} WHERE step > 0`
]

/**
 * Returns the SQL text of steps, to be shown or to be run by hand.
 */
export const show = (steps: ReadonlyArray<Step>): string =>
  steps
    .map(({ id, name, statements }) => [`-- ${id}: ${name}`, ...statements.map((each) => `${each};`)].join("\n"))
    .join("\n\n")

/**
 * Returns the dialect of the client that is there.
 *
 * **Gotchas**
 *
 * Throws an `InvalidOptionError` as a defect for a client of another database.
 */
export const dialect: Effect.Effect<Dialect, never, SqlClient.SqlClient> = /* @__PURE__ */ Effect.map(
  SqlClient.SqlClient,
  (sql) => {
    const refused = (name: string) => (): Dialect => Rules.reject(module, "client", name, "one of PostgreSQL or SQLite")
    return sql.onDialectOrElse({
      pg: (): Dialect => "pg",
      sqlite: (): Dialect => "sqlite",
      mysql: refused("mysql"),
      mssql: refused("mssql"),
      orElse: refused("another")
    })
  }
)

/**
 * Returns the steps that a database still needs.
 *
 * **Details**
 *
 * It reads, and changes nothing. A table of that name, or of that name with
 * `_migrations` after it, that was not made by these steps is an error. A table
 * that a newer version made needs nothing.
 */
export const pending = (options: Options = {}): Effect.Effect<ReadonlyArray<Step>, TableError, SqlClient.SqlClient> =>
  Effect.gen(function* () {
    const kind = yield* dialect
    const { table } = resolve(options)
    const check = (sql: SqlClient.SqlClient) => MigrationCheck.check(sql, table)
    const { step } = yield* SqlOperation.run(table, (sql) =>
      // Another process may be creating the table.
      Effect.catchTag(check(sql), "TableError", () => locked(sql, kind, table, check(sql)))
    )
    return steps(kind, options).slice(step)
  })

/**
 * Applies the steps that a database still needs.
 *
 * **Details**
 *
 * A table of that name, or of that name with `_migrations` after it, that was not
 * made by these steps is an error, and is left as it is.
 *
 * **Gotchas**
 *
 * It opens a transaction of its own, also within another one.
 */
export const apply = (options: Options = {}): Effect.Effect<Outcome, TableError, SqlClient.SqlClient> =>
  Effect.gen(function* () {
    const kind = yield* dialect
    const all = steps(kind, options)
    const { table } = resolve(options)
    return yield* SqlOperation.run(table, (sql) =>
      Effect.gen(function* () {
        const check = MigrationCheck.check(sql, table)
        // A process that may only read and write gets along with a table that is up to date. What is refused here may be a
        // table that another process is creating.
        const before = yield* Effect.catchTag(check, "TableError", () => Effect.undefined)
        if (before !== undefined && before.step >= all.length) return "current"
        const steps = Effect.gen(function* (): Effect.fn.Return<Outcome, SqlError.SqlError | TableError> {
          const { isLeft, step } = yield* check
          const missing = all.slice(step).flatMap(({ statements }) => statements)
          for (const statement of isLeft ? remade(missing, table) : missing) yield* sql.unsafe(statement)
          return missing.length === 0 ? "current" : step === 0 ? "created" : "updated"
        })
        return yield* locked(sql, kind, table, steps)
      })
    )
  })

/** Runs an effect in a transaction, while no other process migrates this table. */
const locked = <A, E>(sql: SqlClient.SqlClient, kind: Dialect, table: string, effect: Effect.Effect<A, E>) =>
  sql
    .withTransaction(
      kind === "sqlite"
        ? effect
        : Effect.andThen(
            sql`SELECT pg_advisory_xact_lock(hashtextextended(${`effect-resilience ${table}`}, 0))::text`,
            effect
          )
    )
    .pipe(
      // A process that waited for the lock has to see the steps that were applied meanwhile.
      Effect.provideService(
        SqlClient.BeginTransaction,
        kind === "pg" ? "BEGIN ISOLATION LEVEL READ COMMITTED" : "BEGIN IMMEDIATE"
      )
    )

const createsSteps = (table: string): string => `CREATE TABLE ${quote(`${table}_migrations`)} (`

/** Replaces the statement that creates the table of steps. */
const remade = (statements: ReadonlyArray<string>, table: string): ReadonlyArray<string> =>
  statements.flatMap((each) => (each.startsWith(createsSteps(table)) ? remake({ table }) : [each]))
