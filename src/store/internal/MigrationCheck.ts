/**
 * What a database has under the names of a migration, looked at before anything
 * is changed.
 *
 * **Details**
 *
 * A table counts as made by this library if it has the columns of that table, is
 * an ordinary table, and is found by the statements of the steps under its name.
 * Anything else of these names is refused, and left as it is.
 */
import * as Effect from "effect/Effect"
import type * as SqlClient from "effect/sql/SqlClient"
import type * as SqlError from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as Text from "../../core/internal/Text.ts"
import { TableError } from "../CircuitTable.ts"

/**
 * Names of a migration.
 */
export interface Names {
  /** Schema, where one is given. */
  readonly schema: string | undefined
  /** Table of circuits, without its schema. */
  readonly table: string
  /** Table of the steps that were applied, without its schema. */
  readonly steps: string
  /** Index, without its schema. */
  readonly index: string
}

/**
 * Returns the names that belong to a table.
 */
export const names = (table: string): Names => {
  const dot = table.indexOf(".")
  const bare = table.slice(dot + 1)
  return {
    schema: dot < 0 ? undefined : table.slice(0, dot),
    table: bare,
    steps: `${bare}_migrations`,
    index: `${bare}_updated_at`
  }
}

/**
 * Columns of the table of circuits.
 */
export const columns = [
  "namespace",
  "resource_key",
  "version",
  "state",
  "failure_count",
  "open_until",
  "data",
  "updated_by",
  "updated_at",
  "used_at"
] as const

const stepColumns = ["step", "applied_at"] as const

/**
 * Result of a check.
 */
export interface Checked {
  /** Last step that was applied, 0 if there is no table. */
  readonly step: number
  /** Whether the table of steps is there without its table, which somebody dropped. */
  readonly isLeft: boolean
}

/** Thing of a database that has a name. */
interface Found {
  readonly schema: string
  /** Kind in words, such as `table` or `view`. */
  readonly kind: string
  /** Names of its columns. */
  readonly columns: ReadonlyArray<string>
  /** Whether its name, as the statements write it, leads to it. */
  readonly isReached: boolean
}

type Check<A> = Effect.Effect<A, SqlError.SqlError | TableError>

/** Finds things by name. */
interface Look {
  /** Returns what the table's name leads to, or the thing of that name where it would be created. */
  readonly table: (name: string) => Check<Found | undefined>
  /** Returns the thing of that name beside another, or where a table would be created. */
  readonly beside: (name: string, other: Found | undefined) => Check<Found | undefined>
}

/** Step that creates the index. */
const indexStep = 2

/**
 * Checks what there is, and fails for anything that was not made by this library.
 * It changes nothing.
 */
export const check = (sql: SqlClient.SqlClient, table: string): Check<Checked> =>
  Effect.gen(function* () {
    const name = names(table)
    const look = sql.onDialectOrElse({ pg: () => postgres(sql, name), orElse: () => sqlite(sql, name) })
    const found = yield* look.table(name.table)
    const noted = yield* look.beside(name.steps, found)
    if (noted !== undefined) yield* isOurs(noted, name, name.steps, stepColumns, "exactly")
    if (found !== undefined) yield* isOurs(found, name, name.table, columns, "at least")
    const step = found === undefined || noted === undefined ? 0 : yield* lastOf(sql, table)
    if (found !== undefined && step === 0) return yield* foreign(found, name.table, "no steps of it are noted")
    const index = step < indexStep ? yield* look.beside(name.index, found) : undefined
    if (index !== undefined) return yield* foreign(index, name.index)
    return { step, isLeft: found === undefined && noted !== undefined }
  })

const lastOf = (sql: SqlClient.SqlClient, table: string): Check<number> =>
  Effect.map(
    sql<{ readonly step: number | string | null }>`SELECT max(step) AS step FROM ${sql(`${table}_migrations`)}`,
    ([row]) => Number(row?.step ?? 0)
  )

const isOurs = (
  found: Found,
  { table }: Names,
  name: string,
  expected: ReadonlyArray<string>,
  how: "exactly" | "at least"
): Check<void> => {
  if (found.kind !== "table") return foreign(found, name)
  const lacks = expected.filter((each) => !found.columns.includes(each))
  const others = how === "exactly" ? found.columns.filter((each) => !expected.includes(each)) : []
  if (lacks.length > 0) return foreign(found, name, `it has no ${lacks.join(", ")}`)
  if (others.length > 0) return foreign(found, name, `it also has ${others.slice(0, 5).map(Text.quoted).join(", ")}`)
  return found.isReached
    ? Effect.void
    : new TableError({
        message: `${name} leads to another table than ${Text.quoted(found.schema)}.${name}: write the option \`table\` with its schema, as ${found.schema}.${table}`
      })
}

const foreign = ({ kind, schema }: Found, name: string, why?: string): Effect.Effect<never, TableError> =>
  Effect.fail(
    new TableError({
      message: `${kind} ${Text.quoted(schema)}.${name} exists and was not made by this library${why === undefined ? "" : ` (${why})`}: rename it, or choose another name with the option \`table\``
    })
  )

const quote = /* @__PURE__ */ Statement.defaultEscape('"')

const kinds: { readonly [relkind: string]: string } = {
  r: "table",
  p: "table",
  v: "view",
  m: "materialized view",
  S: "sequence",
  i: "index",
  I: "index",
  f: "foreign table",
  c: "composite type"
}

const postgres = (sql: SqlClient.SqlClient, { schema }: Names): Look => {
  const written = (name: string) => quote(schema === undefined ? name : `${schema}.${name}`)
  const found = (name: string, where: Statement.Fragment): Check<Found | undefined> =>
    Effect.map(
      sql<{
        readonly schema: string
        readonly kind: string
        readonly temporary: boolean
        readonly columns: string
        readonly reached: boolean
      }>`SELECT n.nspname::text AS schema, c.relkind::text AS kind, c.relpersistence = 't' AS temporary,
          coalesce((SELECT json_agg(a.attname ORDER BY a.attnum)::text FROM pg_catalog.pg_attribute AS a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '[]') AS columns,
          c.oid IS NOT DISTINCT FROM to_regclass(${written(name)}) AS reached
        FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE ${where}`,
      ([row]) =>
        row === undefined
          ? undefined
          : {
              schema: row.schema,
              kind: row.temporary ? "temporary table" : (kinds[row.kind] ?? "thing of another kind"),
              // It is the JSON that was asked for.
              columns: JSON.parse(row.columns) as ReadonlyArray<string>,
              isReached: row.reached
            }
    )
  return {
    table: (name) => found(name, sql`c.oid = to_regclass(${written(name)})`),
    // A temporary table of that name would get what the statements write.
    beside: (name, other) =>
      found(
        name,
        sql`(c.relname = ${name} AND n.nspname = ${other?.schema ?? schema ?? sql.literal("current_schema()")})
          OR (c.oid = to_regclass(${written(name)}) AND c.relpersistence = 't') ORDER BY temporary DESC`
      )
  }
}

const sqlite = (sql: SqlClient.SqlClient, { schema }: Names): Look => {
  const columnsOf = (name: string, schema: string | undefined) =>
    Effect.map(
      schema === undefined
        ? sql<{ readonly name: string }>`SELECT name FROM pragma_table_info(${name})`
        : sql<{ readonly name: string }>`SELECT name FROM pragma_table_info(${name}, ${schema})`,
      (rows) => rows.map(({ name }) => name)
    )
  const at = (place: string, name: string): Check<Found | undefined> =>
    Effect.gen(function* () {
      // Names of SQLite have no case.
      const [row] = yield* sql<{ readonly type: string }>`SELECT type FROM ${sql(`${place}.sqlite_master`)}
        WHERE name = ${name} COLLATE NOCASE AND type <> 'trigger'`
      if (row === undefined) return undefined
      const kind = place === schema || place === "main" ? row.type : `temporary ${row.type}`
      return { schema: place, kind, columns: yield* columnsOf(name, place), isReached: true }
    })
  const found = (name: string): Check<Found | undefined> =>
    Effect.gen(function* () {
      if (schema !== undefined) return yield* at(schema, name)
      // The statements would get to something temporary first.
      return (yield* at("temp", name)) ?? (yield* at("main", name))
    })
  return {
    beside: found,
    table: (name) =>
      Effect.gen(function* () {
        const here = yield* found(name)
        if (here !== undefined || schema !== undefined) return here
        // In a database that was attached: a table that is made now would hide it.
        const columns = yield* columnsOf(name, undefined)
        return columns.length === 0 ? undefined : { schema: "attached", kind: "table", columns, isReached: false }
      })
  }
}
