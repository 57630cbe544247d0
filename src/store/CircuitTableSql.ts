/**
 * Tables of circuits in a SQL database, over the `SqlClient` of Effect.
 *
 * **Details**
 *
 * - Each operation is one statement, and one round trip. With SQLite a sweep is
 *   two.
 * - `clock_timestamp()` of PostgreSQL is the clock, and the system's clock with
 *   SQLite.
 * - With the `PgClient` of `@effect/sql-pg` a table announces what is written,
 *   through `LISTEN`. Each listener keeps one connection of the pool. With other
 *   clients a store has to ask.
 * - An operation within a transaction of its caller is not a part of it, so that a
 *   transaction that is rolled back does not undo a circuit's change.
 * - Tested with PostgreSQL and SQLite. Other databases are refused.
 *
 * **Gotchas**
 *
 * - A pooler that gives each transaction another connection lets nobody listen.
 *   The store finds changes by asking then.
 * - SQLite has one writer at a time: an operation within a transaction of its
 *   caller waits for the end of that, or until the store abandons it.
 * - Processes that share circuits have to write the table's name alike, with or
 *   without its schema.
 * - A `PgClient` that has a listener does not close while the server is frozen,
 *   as it waits for an answer. The scope of the listener does.
 */
import * as Effect from "effect/Effect"
import { hasProperty } from "effect/Predicate"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import type * as SqlError from "effect/sql/SqlError"
import * as Background from "../core/internal/Background.ts"
import * as ConfigSchema from "../core/internal/ConfigSchema.ts"
import * as Rules from "../core/internal/Rules.ts"
import * as CircuitMigration from "./CircuitMigration.ts"
import type { CircuitTable, Draft, Read, Row } from "./CircuitTable.ts"
import { maxData, TableError } from "./CircuitTable.ts"
import * as HintMessage from "./internal/HintMessage.ts"
import * as SqlOperation from "./internal/SqlOperation.ts"

/**
 * Options of a table in a SQL database. All have defaults.
 */
export interface Options extends CircuitMigration.Options {
  /** Keeps the circuits of several systems apart in one table. Up to 100 characters. Default: `default`. */
  readonly namespace?: string | undefined
}

/**
 * Defaults of the options.
 */
export const defaults = { ...CircuitMigration.defaults, namespace: "default" } as const

/**
 * Options, checked and with their defaults.
 */
export interface Resolved extends CircuitMigration.Resolved {
  readonly namespace: string
}

// The options are those of the store.
const module = "CircuitStoreSql"

/**
 * Checks options and fills in the defaults. Throws an `InvalidOptionError`.
 */
export const resolve = (options: Options = {}): Resolved => {
  const { namespace = defaults.namespace } = options
  const isNamespace =
    typeof namespace === "string" &&
    namespace.length <= 100 &&
    namespace.trim() !== "" &&
    !/[\p{Cc}\p{Cs}]/u.test(namespace)
  if (!isNamespace) {
    Rules.reject(module, "namespace", namespace, "a non-empty string of up to 100 printable characters")
  }
  return { ...CircuitMigration.resolve(options), namespace }
}

/**
 * Options in JSON.
 */
export interface ConfigJson extends CircuitMigration.ConfigJson {
  readonly namespace?: string
}

/**
 * Schema of the options, to read them from JSON, or from the environment through
 * `Config.schema` of Effect.
 */
export const Config: Schema.Codec<Options, ConfigJson> = /* @__PURE__ */ (() => {
  const text = Schema.optionalKey(Schema.String)
  return ConfigSchema.checked(ConfigSchema.struct({ table: text, namespace: text }), resolve)
})()

/**
 * Returns the options with their defaults, as JSON that `Config` reads.
 */
export const describe = (options?: Options): ConfigJson => resolve(options)

/**
 * Creates a `CircuitTable` over a table that is there: `CircuitMigration.apply`
 * creates it.
 *
 * **Details**
 *
 * Throws an `InvalidOptionError` as a defect for a bad option, and for a client of
 * another database than PostgreSQL and SQLite.
 */
export const make = (options: Options = {}): Effect.Effect<CircuitTable, never, SqlClient.SqlClient> =>
  Effect.gen(function* () {
    const { namespace, table } = resolve(options)
    const dialect = yield* CircuitMigration.dialect
    const client = yield* SqlClient.SqlClient
    const sql = client.withoutTransforms()
    const space = `${table}:${namespace}`
    const channel = channelOf(space)
    const statements =
      dialect === "pg" ? postgres(sql, table, namespace, channel, space) : sqlite(sql, table, namespace)

    const run = <A>(operation: Effect.Effect<A, SqlError.SqlError>): Effect.Effect<A, TableError> =>
      Effect.provideService(
        SqlOperation.run(table, () => operation),
        SqlClient.SqlClient,
        client
      )
    const read = (keys: ReadonlyArray<string>) => Effect.map(run(statements.read(JSON.stringify(keys))), toRead)

    return {
      read,
      changes: (since) => Effect.map(run(statements.changes(since)), toRead),
      write: (draft, expected) =>
        run(
          Effect.map(statements.write(bounded(draft), expected), ([row]) =>
            row === undefined ? undefined : Number(row.version)
          ).pipe(
            // With stricter isolation PostgreSQL refuses the second of two writes.
            Effect.catchIf(
              ({ reason }) => reason._tag === "SerializationError",
              () => Effect.succeed(undefined)
            )
          )
        ),
      listen: canListen(client) ? listen(client, channel, space, table) : undefined,
      sweep: ({ idleMillis, limit, used }) =>
        // A row of this very millisecond could be made again with the version that it had.
        run(statements.sweep(JSON.stringify(used), Math.max(1, idleMillis), limit))
    }
  })

interface Found {
  readonly now: number | string
  readonly resource_key: string | null
  readonly version: number | string
  readonly data: string
  readonly updated_by: string
  readonly updated_at: number | string
}

interface Statements {
  /** Reads the rows of a JSON array of keys. */
  readonly read: (keys: string) => Effect.Effect<ReadonlyArray<Found>, SqlError.SqlError>
  readonly changes: (since: number | undefined) => Effect.Effect<ReadonlyArray<Found>, SqlError.SqlError>
  readonly write: (
    draft: Draft,
    expected: number
  ) => Effect.Effect<ReadonlyArray<{ readonly version: number | string }>, SqlError.SqlError>
  /** Marks the rows of a JSON array of keys as used, and removes idle rows. */
  readonly sweep: (used: string, idleMillis: number, limit: number) => Effect.Effect<number, SqlError.SqlError>
}

// There is always a row, for the time. It has no circuit where there is none.
const toRead = (found: ReadonlyArray<Found>): Read => ({
  now: Number(found[0]?.now),
  rows: found.flatMap((row): ReadonlyArray<Row> =>
    row.resource_key === null
      ? []
      : [
          {
            resourceKey: row.resource_key,
            version: Number(row.version),
            data: row.data,
            updatedBy: row.updated_by,
            updatedAt: Number(row.updated_at)
          }
        ]
  )
})

/** Keeps numbers within the ranges of columns: they are for people, and must not prevent a write. */
const bounded = (draft: Draft): Draft => ({
  ...draft,
  failureCount: Math.max(0, Math.min(2 ** 31 - 1, Math.trunc(draft.failureCount) || 0)),
  openUntil:
    draft.openUntil === undefined || Number.isNaN(draft.openUntil)
      ? undefined
      : Math.max(0, Math.min(lastMillis, Math.floor(draft.openUntil)))
})

/** End of the year 9999. */
const lastMillis = 253_402_300_799_999
/** Longest text that is read as the writer of a row, and longest key of a row, in bytes. */
const [maxUpdatedBy, maxKey] = [4000, 4000]
/** Versions that a number can hold. All others are spoilt: they are read as 0, and written over as 0. */
const versions = `BETWEEN 1 AND ${Number.MAX_SAFE_INTEGER}`
/** Returns the SQL of the version after that of `t`. The next one has to be a number too. */
const nextVersion = (greatest: string, micros: string) =>
  `CASE WHEN t.version < ${Number.MAX_SAFE_INTEGER - 1} THEN ${greatest}(t.version + 1, ${micros}) ELSE ${micros} END`

const postgres = (
  sql: SqlClient.SqlClient,
  name: string,
  namespace: string,
  channel: string,
  space: string
): Statements => {
  const table = sql(name)
  const columns = sql.literal(
    `clock.now, t.resource_key, CASE WHEN t.version ${versions} THEN t.version::float8 ELSE 0 END AS version,
    CASE WHEN octet_length(t.data) <= ${maxData} THEN t.data ELSE '' END AS data,
    CASE WHEN octet_length(t.updated_by) <= ${maxUpdatedBy} THEN t.updated_by ELSE '' END AS updated_by,
    floor(extract(epoch FROM t.updated_at) * 1000)::float8 AS updated_at`
  )
  const now = sql.literal(`(SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now) AS clock`)
  const clock = sql.literal(`(SELECT clock_timestamp() AS now) AS clock`)
  const microseconds = `floor(extract(epoch FROM clock.now) * 1000000)::bigint`
  const micros = sql.literal(microseconds)
  const next = sql.literal(nextVersion("greatest", microseconds))
  const isSpoilt = sql.literal(`t.version NOT ${versions}`)
  const isNamed = sql.literal(`octet_length(t.resource_key) <= ${maxKey}`)
  return {
    read: (keys) => sql<Found>`SELECT ${columns} FROM ${now} LEFT JOIN ${table} AS t
      ON t.namespace = ${namespace} AND t.resource_key IN (SELECT json_array_elements_text(${keys}::json))`,
    changes: (since) => sql<Found>`SELECT ${columns} FROM ${now} LEFT JOIN ${table} AS t
      ON t.namespace = ${namespace} AND ${isNamed} ${
        since === undefined
          ? sql.literal("")
          : sql`AND t.updated_at >= to_timestamp(${Math.max(0, Math.min(lastMillis, since))}::float8 / 1000)`
      } ORDER BY t.resource_key COLLATE "C"`,
    write: ({ data, failureCount, openUntil = null, resourceKey, state, updatedBy }, expected) => {
      const until = sql`to_timestamp(${openUntil}::float8 / 1000)`
      const written =
        expected === 0
          ? sql`INSERT INTO ${table} AS t (namespace, resource_key, version, state, failure_count, open_until,
              data, updated_by, updated_at, used_at)
            SELECT ${namespace}, ${resourceKey}, ${micros}, ${state}, ${failureCount}::integer, ${until},
              ${data}, ${updatedBy}, clock.now, clock.now FROM ${clock}
            ON CONFLICT (namespace, resource_key) DO UPDATE SET version = excluded.version, state = excluded.state,
              failure_count = excluded.failure_count, open_until = excluded.open_until, data = excluded.data,
              updated_by = excluded.updated_by, updated_at = excluded.updated_at, used_at = excluded.used_at
            WHERE ${isSpoilt}`
          : sql`UPDATE ${table} AS t SET version = ${next}, state = ${state},
              failure_count = ${failureCount}::integer, open_until = ${until}, data = ${data},
              updated_by = ${updatedBy}, updated_at = clock.now, used_at = clock.now
            FROM ${clock} WHERE t.namespace = ${namespace} AND t.resource_key = ${resourceKey}
              AND t.version = ${expected}::bigint`
      // The message is part of the write: it is sent if that is done. PostgreSQL takes less than 8000 bytes.
      return sql<{ readonly version: number }>`WITH written AS (
          ${written} RETURNING t.resource_key, t.version
        ), message AS (
          SELECT version, json_build_object('space', ${space}::text, 'resourceKey', resource_key, 'version', version)::text
            AS payload FROM written
        )
        SELECT version::float8 AS version,
          CASE WHEN octet_length(payload) < 8000 THEN pg_notify(${channel}, payload)::text END AS told
        FROM message`
    },
    // Rows that somebody writes at this moment are used, and are not waited for.
    sweep: (used, idleMillis, limit) =>
      sql<{ readonly removed: number | string }>`WITH used AS (
          SELECT json_array_elements_text(${used}::json) AS resource_key
        ), kept AS (
          UPDATE ${table} AS t SET used_at = clock_timestamp() FROM (
            SELECT namespace, resource_key FROM ${table}
            WHERE namespace = ${namespace} AND resource_key IN (SELECT resource_key FROM used) FOR UPDATE SKIP LOCKED
          ) AS picked WHERE t.namespace = picked.namespace AND t.resource_key = picked.resource_key
        ), removed AS (
          DELETE FROM ${table} AS t USING (
            SELECT namespace, resource_key FROM ${table}
            WHERE namespace = ${namespace} AND state = 'CLOSED'
              AND used_at <= clock_timestamp() - ${idleMillis}::float8 * interval '1 millisecond'
              AND resource_key NOT IN (SELECT resource_key FROM used)
            ORDER BY used_at LIMIT ${limit}::bigint FOR UPDATE SKIP LOCKED
          ) AS picked WHERE t.namespace = picked.namespace AND t.resource_key = picked.resource_key RETURNING t.resource_key
        ) SELECT count(*)::float8 AS removed FROM removed`.pipe(Effect.map(([row]) => Number(row?.removed ?? 0)))
  }
}

const sqlite = (sql: SqlClient.SqlClient, name: string, namespace: string): Statements => {
  const table = sql(name)
  // All of one statement see the same time.
  const millis = `(CAST(strftime('%s', 'now') AS integer) * 1000 + CAST(substr(strftime('%f', 'now'), 4) AS integer))`
  const now = sql.literal(millis)
  const next = sql.literal(nextVersion("max", `${millis} * 1000`))
  // A column of SQLite holds a value of any type.
  const textUpTo = (column: string, most: number) =>
    `CASE WHEN typeof(t.${column}) = 'text' AND length(CAST(t.${column} AS blob)) <= ${most} THEN t.${column} ELSE '' END
      AS ${column}`
  const integer = (column: string, range: string) =>
    `CASE WHEN typeof(t.${column}) = 'integer' AND t.${column} ${range} THEN t.${column} ELSE 0 END AS ${column}`
  const columns = sql.literal(
    `clock.now, t.resource_key, ${integer("version", versions)}, ${textUpTo("data", maxData)},
    ${textUpTo("updated_by", maxUpdatedBy)}, ${integer("updated_at", `BETWEEN 0 AND ${lastMillis}`)}`
  )
  const isSpoilt = sql.literal(`(typeof(t.version) <> 'integer' OR t.version NOT ${versions})`)
  const isNamed = sql.literal(`typeof(t.resource_key) = 'text' AND length(CAST(t.resource_key AS blob)) <= ${maxKey}`)
  return {
    read: (keys) => sql<Found>`SELECT ${columns} FROM (SELECT ${now} AS now) AS clock LEFT JOIN ${table} AS t
      ON t.namespace = ${namespace} AND t.resource_key IN (SELECT value FROM json_each(${keys}))`,
    changes: (since) => sql<Found>`SELECT ${columns} FROM (SELECT ${now} AS now) AS clock LEFT JOIN ${table} AS t
      ON t.namespace = ${namespace} AND ${isNamed} AND t.updated_at >= ${since ?? 0} ORDER BY t.resource_key`,
    write: ({ data, failureCount, openUntil = null, resourceKey, state, updatedBy }, expected) =>
      expected === 0
        ? sql<{ readonly version: number }>`INSERT INTO ${table} AS t (namespace, resource_key, version, state,
            failure_count, open_until, data, updated_by, updated_at, used_at)
          VALUES (${namespace}, ${resourceKey}, ${now} * 1000, ${state}, ${failureCount}, ${openUntil}, ${data},
            ${updatedBy}, ${now}, ${now})
          ON CONFLICT (namespace, resource_key) DO UPDATE SET version = excluded.version, state = excluded.state,
            failure_count = excluded.failure_count, open_until = excluded.open_until, data = excluded.data,
            updated_by = excluded.updated_by, updated_at = excluded.updated_at, used_at = excluded.used_at
          WHERE ${isSpoilt} RETURNING version`
        : sql<{ readonly version: number }>`UPDATE ${table} AS t SET version = ${next},
            state = ${state}, failure_count = ${failureCount}, open_until = ${openUntil}, data = ${data},
            updated_by = ${updatedBy}, updated_at = ${now}, used_at = ${now}
          WHERE namespace = ${namespace} AND resource_key = ${resourceKey} AND version = ${expected} RETURNING version`,
    sweep: (used, idleMillis, limit) =>
      Effect.andThen(
        sql`UPDATE ${table} SET used_at = ${now}
          WHERE namespace = ${namespace} AND resource_key IN (SELECT value FROM json_each(${used}))`,
        Effect.map(
          sql`DELETE FROM ${table} WHERE namespace = ${namespace} AND state = 'CLOSED' AND resource_key IN (
              SELECT resource_key FROM ${table} WHERE namespace = ${namespace} AND state = 'CLOSED'
                AND used_at <= ${now} - ${idleMillis}
                AND resource_key NOT IN (SELECT value FROM json_each(${used}))
              ORDER BY used_at LIMIT ${limit}
            ) RETURNING resource_key`,
          ({ length }) => length
        )
      )
  }
}

// The part of a PgClient that is used. This package does not depend on that one.
interface Listening {
  readonly config: { readonly maxConnections?: number | undefined }
  readonly listen: (
    channel: string
  ) => Effect.Effect<Queue.Dequeue<{ readonly payload: string }, SqlError.SqlError>, SqlError.SqlError, Scope.Scope>
}

// A listener on the only connection would leave none for anything else.
const canListen = (client: SqlClient.SqlClient): client is SqlClient.SqlClient & Listening =>
  hasProperty(client, "~@effect/sql-pg/PgClient") &&
  hasProperty(client, "listen") &&
  !(hasProperty(client, "config") && hasProperty(client.config, "maxConnections") && client.config.maxConnections === 1)

/**
 * Returns a channel of up to 63 bytes. Where two spaces have the same one, their
 * messages say which they are of.
 */
const channelOf = (space: string): string => {
  // FNV-1a, over 64 bits.
  let hash = 0xcbf29ce484222325n
  for (const byte of new TextEncoder().encode(space)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
  return `effect_resilience_${hash.toString(16).padStart(16, "0")}`
}

/** Connections that listened, whose end the server has not confirmed, and that are waited for before there are more. */
const maxClosing = 2

const listen = (
  client: Listening,
  channel: string,
  space: string,
  table: string
): NonNullable<CircuitTable["listen"]> => {
  let closing = 0
  return Effect.fnUntraced(function* (hear) {
    // They would fill the pool, where one outage follows another.
    if (closing >= maxClosing) {
      return yield* new TableError({ message: "connections that listened earlier have not ended yet" })
    }
    // A server that does not answer would keep the scope from closing for ever.
    const inner = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => {
      closing++
      return Background.close(
        scope,
        exit,
        Effect.sync(() => {
          closing--
        })
      )
    })
    const messages = yield* Background.promptly(Scope.provide(client.listen(channel), inner)).pipe(
      Effect.mapError((error) => SqlOperation.tableError(error, table))
    )
    return Queue.takeAll(messages).pipe(
      Effect.map((all) => {
        for (const { payload } of all) {
          const hint = HintMessage.parseWithin(payload, space)
          if (hint !== undefined) hear(hint)
        }
      }),
      Effect.forever,
      Effect.mapError((error) => SqlOperation.tableError(error, table))
    )
  })
}
