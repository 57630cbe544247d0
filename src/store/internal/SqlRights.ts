/**
 * Rights that a role of PostgreSQL lacks on the tables of circuits, in words.
 */
import * as Effect from "effect/Effect"
import type * as SqlClient from "effect/sql/SqlClient"
import type * as SqlError from "effect/sql/SqlError"
import * as MigrationCheck from "./MigrationCheck.ts"

interface Found {
  readonly role: string
  readonly schema: string
  readonly name: string
  readonly enters: boolean
  readonly selects: boolean
  readonly inserts: boolean
  readonly updates: boolean
  readonly deletes: boolean
  readonly owns: boolean
  readonly secured: boolean
}

/**
 * Returns the right that an operation lacked, and how to grant it, or `undefined`
 * where that cannot be said.
 *
 * **Details**
 *
 * PostgreSQL names the table and not the right, so it is asked.
 */
export const lacking = (
  sql: SqlClient.SqlClient,
  table: string,
  detail: string
): Effect.Effect<string | undefined, SqlError.SqlError> =>
  Effect.gen(function* () {
    const names = MigrationCheck.names(table)
    const path = sql.literal(
      `string_to_array(replace(replace(current_setting('search_path'), '"$user"', current_user), ' ', ''), ',')`
    )
    const found = yield* sql<Found>`SELECT quote_ident(current_user) AS role, n.nspname::text AS schema,
        c.relname::text AS name, has_schema_privilege(n.oid, 'USAGE') AS enters,
        has_table_privilege(c.oid, 'SELECT') AS selects, has_table_privilege(c.oid, 'INSERT') AS inserts,
        has_table_privilege(c.oid, 'UPDATE') AS updates, has_table_privilege(c.oid, 'DELETE') AS deletes,
        pg_has_role(c.relowner, 'USAGE') AS owns, c.relrowsecurity AS secured
      FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
      WHERE c.relname IN (${names.table}, ${names.steps}) AND c.relkind IN ('r', 'p') AND n.nspname = ${
        names.schema === undefined ? sql`ANY(${path})` : sql`${names.schema}`
      } ORDER BY array_position(${path}, n.nspname::text)`
    const circuits = found.find(({ name }) => name === names.table)
    const steps = found.find(({ name, schema }) => name === names.steps && schema === circuits?.schema)
    if (circuits === undefined) return yield* toCreate(sql, names.schema)
    const { role } = circuits
    if (!circuits.enters) return grant(role, "USAGE", `schema ${circuits.schema}`, `SCHEMA ${circuits.schema}`)
    const rights = [
      ...(circuits.selects ? [] : ["SELECT"]),
      ...(circuits.inserts ? [] : ["INSERT"]),
      ...(circuits.updates ? [] : ["UPDATE"]),
      ...(circuits.deletes ? [] : ["DELETE"])
    ]
    const isOfSteps = detail.includes(names.steps)
    if (isOfSteps && steps?.selects === false) {
      return `${grant(role, "SELECT", `${table}_migrations`)}, or give the layer the option \`migrate: false\``
    }
    if (rights.length > 0) return grant(role, rights.join(", "), table)
    const [told] = yield* sql<{
      readonly notifies: boolean
    }>`SELECT has_function_privilege('pg_catalog.pg_notify(text, text)', 'EXECUTE') AS notifies`
    if (told?.notifies === false) return grant(role, "EXECUTE", "pg_notify", "FUNCTION pg_notify")
    if (circuits.secured) {
      return `row security of ${table} refuses the row to the role ${role}: a policy has to allow its namespace`
    }
    return circuits.owns
      ? undefined
      : `the role ${role} does not own ${table}, which is not up to date: let its owner run \`resilience setup\``
  })

const toCreate = (sql: SqlClient.SqlClient, given: string | undefined) =>
  Effect.map(
    sql<{ readonly role: string; readonly schema: string; readonly creates: boolean; readonly enters: boolean }>`
      SELECT quote_ident(current_user) AS role, n.nspname::text AS schema,
        has_schema_privilege(n.oid, 'CREATE') AS creates, has_schema_privilege(n.oid, 'USAGE') AS enters
      FROM pg_catalog.pg_namespace AS n WHERE n.nspname = ${given ?? sql.literal("current_schema()")}`,
    ([row]) => {
      if (row === undefined) return undefined
      const { creates, enters, role, schema } = row
      if (!enters) return grant(role, "USAGE", `schema ${schema}`, `SCHEMA ${schema}`)
      return creates
        ? undefined
        : `${grant(role, "CREATE", `schema ${schema}`, `SCHEMA ${schema}`)}, or let another role run \`resilience setup\``
    }
  )

const grant = (role: string, rights: string, on: string, target = on): string =>
  `the role ${role} lacks ${rights} on ${on}: GRANT ${rights} ON ${target} TO ${role}`
