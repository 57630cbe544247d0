/**
 * Messages for errors of drivers and connections: one line, without secrets.
 */
import { hasProperty, isObject } from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Redact from "../../core/internal/Redact.ts"
import { TableError } from "../../store/CircuitTable.ts"
import * as EnvVariables from "../../store/internal/EnvVariables.ts"
import * as Print from "../output/Print.ts"
import type * as Stores from "./Stores.ts"

const unreachable: { readonly [code: string]: string } = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  EPIPE: "connection closed",
  UND_ERR_SOCKET: "connection closed",
  UND_ERR_CONNECT_TIMEOUT: "connection timed out",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "the host's name cannot be looked up",
  ETIMEDOUT: "connection timed out",
  EHOSTUNREACH: "no route to that host",
  ENETUNREACH: "no route to that network",
  ENOENT: "no such socket",
  EACCES: "no permission to use that socket"
}

/**
 * Returns the message of an error of a table, in one line.
 */
export const explain = (error: unknown, target: Stores.Target, table: string): string => {
  const { where } = target
  const at = EnvVariables.describe(where)
  const { has, messages, matches } = cause(error)
  const user = where.username === undefined ? "" : ` for user ${Print.safe(where.username)}`

  if (has("28P01", "28000") || matches(/^(WRONGPASS|NOAUTH|ERR AUTH|ERR invalid password)\b/)) {
    return `login refused${user}: ${at}`
  }
  if (has("3D000")) return `there is no database ${Print.safe(String(where.database ?? where.username ?? ""))}: ${at}`
  if (matches(/DB index is out of range/)) return `there is no database ${where.database ?? 0}: ${at}`
  if (has("3F000")) return `there is no schema for table ${Print.safe(table)} (${at})`
  // A table says which right is missing.
  const named =
    error instanceof TableError && /\bthe (role|user)\b.* lacks |^row security|does not own/.test(error.message)
  if (named) return `${scrub(error.message, where)} (${at})`
  if (has("42P01")) return `there is no table ${Print.safe(table)}: run "resilience setup" (${at})`
  if (has("42501") || matches(/^NOPERM\b/)) return `permission denied${user} (${at})`
  if (has("53300")) return `too many connections (${at})`
  if (has("57P03", "57P01") || matches(/^LOADING\b/)) return `the server is starting or stopping (${at})`
  const clean = (text: string) => scrub(text, where)
  // The innermost message is the database's own, if no `TableError` has a better one.
  const detail = error instanceof TableError ? error.message : messages.at(-1)
  return connection(error, at, clean) ?? `${clean(detail ?? "it failed")} (${at})`
}

/**
 * Returns the message of an error of a connection, in one line, or `undefined` for
 * other errors. `clean` removes secrets from a foreign text.
 */
export const connection = (error: unknown, at: string, clean: (text: string) => string): string | undefined => {
  const { codes, messages, matches } = cause(error)
  // Some drivers keep the code in the message only.
  const code = Object.keys(unreachable).find((each) => codes.includes(each) || matches(new RegExp(`\\b${each}\\b`)))
  if (code !== undefined) return `cannot reach ${at}: ${unreachable[code] ?? code}`
  if (matches(/certificate|self.signed|altname/i) || codes.some((each) => /CERT|TLS|SSL/.test(each))) {
    return `the TLS connection was refused: ${clean(messages.at(-1) ?? "no reason given")} (${at})`
  }
  if (matches(/timed? ?out|no answer within/i)) return `no answer in time: ${at}`
  return matches(/connection (is )?closed|socket closed/i) ? `cannot reach ${at}: connection closed` : undefined
}

/**
 * Returns the codes and messages of an error and of its causes, the outermost
 * first.
 */
export const cause = (error: unknown) => {
  const chain = causes(error)
  const codes = chain.flatMap((each) => (hasProperty(each, "code") && typeof each.code === "string" ? [each.code] : []))
  const messages = chain.flatMap((each) =>
    hasProperty(each, "message") && typeof each.message === "string" ? [each.message] : []
  )
  return {
    codes,
    messages,
    has: (...some: ReadonlyArray<string>) => some.some((code) => codes.includes(code)),
    matches: (pattern: RegExp) => messages.some((message) => pattern.test(message))
  }
}

const causes = (error: unknown): ReadonlyArray<unknown> => {
  const found: Array<unknown> = []
  const visit = (each: unknown) => {
    if (!isObject(each) || found.includes(each) || found.length > 20) return
    found.push(each)
    if (hasProperty(each, "reason")) visit(each.reason)
    if (hasProperty(each, "cause")) visit(each.cause)
    if (hasProperty(each, "errors") && Array.isArray(each.errors)) each.errors.forEach(visit)
  }
  visit(error)
  return found
}

const scrub = (text: string, where: Stores.Target["where"]): string => {
  const password = where.password === undefined ? undefined : Redacted.value(where.password)
  const known = [where.host, where.username, where.database].map(String)
  // A password that is also a name is public anyway, and removing it would give it away.
  return oneLine(text, password === undefined || known.includes(password) ? [] : [password])
}

/**
 * Returns the first line of a text, without secrets.
 */
export const oneLine = (text: string, secrets?: ReadonlyArray<string>): string =>
  Print.safe(Redact.secrets(text, secrets).split("\n", 1)[0]?.trim() ?? "")
