/**
 * Parameters in the URL of a database: which are read, and what to write in place
 * of others.
 *
 * **Details**
 *
 * A parameter that nobody reads may be the one that another client encrypts by, so
 * none is ignored but those that are known to be about something else.
 */
import * as Text from "../../core/internal/Text.ts"

/**
 * Parameters that are read, by database.
 */
export const read = {
  Postgres: ["host", "port", "dbname", "user", "password", "sslmode", "application_name", "options", "connect_timeout"],
  Redis: []
} as const satisfies { readonly [database: string]: ReadonlyArray<string> }

/** Parameters of other clients that say nothing about who reads or steers. A `DATABASE_URL` is for them too. */
const ignored = new Set([
  "channel_binding",
  "client_encoding",
  "connection_limit",
  "fallback_application_name",
  "keepalives",
  "keepalives_count",
  "keepalives_idle",
  "keepalives_interval",
  "max",
  "pgbouncer",
  "pool_size",
  "pool_timeout",
  "schema",
  "socket_timeout",
  "statement_cache_size",
  "target_session_attrs",
  "tcp_user_timeout"
])

/**
 * Returns the parameters of a URL, or the rule that one of them breaks. The rule
 * holds names and no values.
 */
export const parse = (
  url: URL,
  database: keyof typeof read,
  variables: { readonly tls: string; readonly ca: string }
): { readonly [name: string]: string } | string => {
  // In a password, all of these end the address early, and the rest of the password is taken for something else.
  if (url.hash !== "" || url.search.includes("@")) {
    return "has # or @ after its address (in a user or password, characters such as / ? # @ are written as %2F and so on)"
  }
  const known: ReadonlyArray<string> = read[database]
  const found: { [name: string]: string } = {}
  for (const [name, value] of url.searchParams) {
    if (known.includes(name)) {
      if (Object.hasOwn(found, name)) return `has the parameter ${name} twice`
      if (value === "") return `has the parameter ${name} without a value: leave it out`
      found[name] = value
    } else if (database === "Redis" || !ignored.has(name)) {
      return `has the parameter ${Text.cut(Text.quoted(name), 40)}: ${instead(name.toLowerCase(), database, variables)}`
    }
  }
  return found
}

const instead = (
  name: string,
  database: keyof typeof read,
  { ca, tls }: { readonly tls: string; readonly ca: string }
): string => {
  const known: ReadonlyArray<string> = read[database]
  const list = known.length === 0 ? "there are none" : `there are ${known.join(", ")}`
  if (known.includes(name)) return `write ${name}`
  if (/rootcert|_ca_?|^ca$|sslca/.test(name)) return `write the certificates into ${ca}`
  if (/cert|key/.test(name)) return `certificates of clients are not supported, and ${tls} says whether to encrypt`
  if (/ssl|tls|encrypt|secure/.test(name)) {
    return database === "Redis"
      ? `write rediss:// in place of redis://, or ${tls}`
      : `write sslmode=require, or sslmode=disable for no encryption`
  }
  return database === "Redis" && /^(db|database)$/.test(name)
    ? "write the number of the database as the path, as in redis://host/1"
    : `leave it out (${list})`
}
