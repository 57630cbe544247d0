/**
 * Operations of a SQL client on the table of circuits, and their errors in
 * words.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { hasProperty } from "effect/Predicate"
import * as SqlClient from "effect/sql/SqlClient"
import * as SqlError from "effect/sql/SqlError"
import * as Background from "../../core/internal/Background.ts"
import * as Redact from "../../core/internal/Redact.ts"
import { TableError } from "../CircuitTable.ts"
import * as SqlRights from "./SqlRights.ts"

/**
 * Runs an operation on the client that is there, outside of any transaction of
 * its caller, and makes a `TableError` of its error. It ends at once
 * when it is interrupted.
 */
export const run = <A>(
  table: string,
  operation: (sql: SqlClient.SqlClient) => Effect.Effect<A, SqlError.SqlError | TableError>
): Effect.Effect<A, TableError, SqlClient.SqlClient> =>
  Effect.flatMap(SqlClient.SqlClient, (client) => {
    const sql = client.withoutTransforms()
    return Background.promptly(operation(sql)).pipe(
      Effect.updateContext((context: Context.Context<never>) => Context.omit(sql.transactionService)(context)),
      Effect.catch((error) => Effect.flatMap(explained(sql, error, table), Effect.fail)),
      // Where a connection is lost within a transaction, its end is a defect.
      Effect.catchCause((cause) => {
        const lost = cause.reasons
          .filter(Cause.isDieReason)
          .map(({ defect }) => defect)
          .find(SqlError.isSqlError)
        return lost === undefined ? Effect.failCause(cause) : Effect.fail(tableError(lost, table))
      })
    )
  })

/** Returns the `TableError` of an error, which names the right that is missing if one is. */
const explained = (
  sql: SqlClient.SqlClient,
  error: SqlError.SqlError | TableError,
  table: string
): Effect.Effect<TableError> => {
  const plain = tableError(error, table)
  if (error._tag === "TableError" || !sql.onDialectOrElse({ pg: () => true, orElse: () => false })) {
    return Effect.succeed(plain)
  }
  const code = codeOf(error)
  // A schema that a role may not use is as none to it, with its tables.
  const isAsNone = code === "42P01" || code === "3F000"
  if (code !== "42501" && !isAsNone) return Effect.succeed(plain)
  return Background.promptly(SqlRights.lacking(sql, table, detailOf(error.reason.cause, error))).pipe(
    Effect.updateContext((context: Context.Context<never>) => Context.omit(sql.transactionService)(context)),
    Effect.map((message) =>
      message === undefined || (isAsNone && !message.includes("USAGE"))
        ? plain
        : new TableError({ message, cause: error })
    ),
    Effect.orElseSucceed(() => plain)
  )
}

/**
 * Returns the `TableError` of an error of a client.
 */
export const tableError = (error: SqlError.SqlError | TableError, table: string): TableError =>
  error._tag === "TableError" ? error : new TableError({ message: messageOf(error, table), cause: error })

/**
 * Returns whether an operation failed because there is no table.
 */
export const isTableMissing = ({ cause }: TableError): boolean =>
  SqlError.isSqlError(cause) && lacksTable(codeOf(cause), detailOf(cause.reason.cause, cause))

const codeOf = ({ reason: { cause } }: SqlError.SqlError): unknown =>
  hasProperty(cause, "code") ? cause.code : undefined

const lacksTable = (code: unknown, detail: string): boolean => code === "42P01" || /no such table/i.test(detail)

const messageOf = (error: SqlError.SqlError, table: string): string => {
  const { cause } = error.reason
  const code = codeOf(error)
  const detail = detailOf(cause, error)
  if (lacksTable(code, detail)) {
    return `table ${table} does not exist: run \`resilience setup\`, or give the layer the option \`migrate\``
  }
  if (code === "42703" || /no such column|has no column/i.test(detail)) {
    return `table ${table} is not up to date: run \`resilience setup\`, or give the layer the option \`migrate\` (${detail})`
  }
  // 3D is a database, 3F a schema.
  if (code === "3D000" || code === "3F000") return `${detail}: make it first`
  switch (error.reason._tag) {
    case "AuthenticationError":
      return `database refused the login: ${detail}`
    case "AuthorizationError":
      return `database user may not do this: ${detail}`
    case "ConnectionError":
      return `database cannot be reached: ${detail}`
    default:
      return `database failed: ${detail}`
  }
}

/** Returns the message of a driver in one line, without passwords. */
const detailOf = (cause: unknown, error: SqlError.SqlError): string => {
  // An address with several meanings has an error for each, and no message.
  const inner: unknown = hasProperty(cause, "errors") && Array.isArray(cause.errors) ? cause.errors[0] : cause
  const text = [inner, cause]
    .map((each) => (hasProperty(each, "message") ? each.message : each))
    .find((each): each is string => typeof each === "string" && each !== "")
  const line = Redact.secrets(text ?? error.message).split("\n", 1)[0] ?? ""
  return line.replace(/\p{Cc}/gu, " ").slice(0, 300)
}
