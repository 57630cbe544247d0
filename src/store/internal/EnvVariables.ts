/**
 * Where circuits are shared, read from the environment.
 *
 * **Details**
 *
 * | Variable | Holds |
 * |---|---|
 * | `RESILIENCE_DATABASE_URL` | `postgres://`, `postgresql://`, `redis://` or `rediss://`; `none` for no sharing |
 * | `RESILIENCE_DATABASE_HOST` | host, or the folder of a PostgreSQL socket, in place of a URL |
 * | `RESILIENCE_DATABASE_TYPE` | `postgres` (default) or `redis`, beside a host |
 * | `RESILIENCE_DATABASE_PORT` | port, beside a host: 5432 or 6379 where absent |
 * | `RESILIENCE_DATABASE_NAME` | name of the database, its number for Redis, beside a host |
 * | `RESILIENCE_DATABASE_USER` | user, where the URL has none |
 * | `RESILIENCE_DATABASE_PASSWORD` | password, where the URL has none |
 * | `RESILIENCE_DATABASE_TLS` | `disable`, `prefer` (PostgreSQL only), `require` or `no-verify`, wins over the URL |
 * | `RESILIENCE_DATABASE_TLS_CA` | certificates to trust, as PEM |
 * | `DATABASE_URL` | as `RESILIENCE_DATABASE_URL`, where neither that nor a host is there |
 * | `RESILIENCE_NAMESPACE` | namespace of the circuits |
 * | `RESILIENCE_TABLE` | name of the table, or the prefix of the keys in Redis |
 * | `RESILIENCE_INSTANCE` | name of this process in the rows that it writes |
 *
 * A variable that is empty counts as absent. Without any of them nothing is
 * shared. This module opens no connection and needs no driver.
 *
 * **Gotchas**
 *
 * Without `sslmode` nothing is encrypted. A password that goes to another machine
 * that way is warned of, also with `prefer`, and parameters that nobody reads are refused.
 *
 * `require` checks the certificate of the server and its name, whatever else
 * that word means to other clients. `no-verify` encrypts and checks nothing.
 */
import * as Config from "effect/Config"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as PlainText from "../../core/internal/PlainText.ts"
import * as Text from "../../core/internal/Text.ts"
import * as UrlParameters from "./UrlParameters.ts"

/**
 * Whether a connection is encrypted, and whether the server's certificate is
 * checked: `prefer` encrypts where the server can, `require` encrypts and
 * checks, `no-verify` encrypts and does not check.
 */
export type Tls = "disable" | "prefer" | "require" | "no-verify"

/**
 * Server of either database.
 */
export interface Server {
  readonly host: string
  readonly port: number
  readonly username: string | undefined
  readonly password: Redacted.Redacted | undefined
  readonly tls: Tls
  /** Certificates to trust, as PEM, in place of those that the system trusts. */
  readonly ca: string | undefined
}

/**
 * PostgreSQL database.
 */
export interface Postgres extends Server {
  readonly _tag: "Postgres"
  /** Name of the database: the server's choice where absent. */
  readonly database: string | undefined
  readonly applicationName: string | undefined
  /** Settings of the session, as `-c name=value`. */
  readonly startupOptions: string | undefined
  readonly connectTimeout: Duration.Duration | undefined
}

/**
 * Redis server.
 */
export interface Redis extends Server {
  readonly _tag: "Redis"
  readonly tls: Exclude<Tls, "prefer">
  /** Number of the database. */
  readonly database: number
}

/**
 * Nothing is shared.
 */
export interface None {
  readonly _tag: "None"
}

/**
 * Where circuits are shared.
 */
export type Where = Postgres | Redis | None

/**
 * Where circuits are shared, and under which names.
 */
export interface StoreConfig {
  readonly where: Where
  /** Namespace of the circuits, where one is given. */
  readonly namespace: string | undefined
  /** Name of the table, where one is given. */
  readonly table: string | undefined
  /** Name of this process in the rows that it writes, where one is given. */
  readonly instance: string | undefined
}

/**
 * Error of a variable that breaks a rule. It does not hold the value, which may
 * be a secret.
 */
export class InvalidVariableError extends Data.TaggedError("InvalidVariableError")<{
  /** Name of the variable. */
  readonly variable: string
  /** The rule that it breaks. */
  readonly rule: string
}> {
  override get message(): string {
    return `${this.variable} ${this.rule}`
  }
}

export const variables = {
  url: "RESILIENCE_DATABASE_URL",
  type: "RESILIENCE_DATABASE_TYPE",
  host: "RESILIENCE_DATABASE_HOST",
  port: "RESILIENCE_DATABASE_PORT",
  name: "RESILIENCE_DATABASE_NAME",
  user: "RESILIENCE_DATABASE_USER",
  password: "RESILIENCE_DATABASE_PASSWORD",
  tls: "RESILIENCE_DATABASE_TLS",
  ca: "RESILIENCE_DATABASE_TLS_CA",
  appUrl: "DATABASE_URL",
  namespace: "RESILIENCE_NAMESPACE",
  table: "RESILIENCE_TABLE",
  instance: "RESILIENCE_INSTANCE"
} as const

/**
 * Values of the variables, as text.
 */
export type Variables = { readonly [Name in keyof typeof variables]?: string | undefined }

type Parsed<A> = Result.Result<A, InvalidVariableError>

const invalid = (variable: string, rule: string): Parsed<never> =>
  Result.fail(new InvalidVariableError({ variable, rule }))

/**
 * Returns the configuration that the variables hold, or the first that breaks a
 * rule. `url` replaces all variables that say where, with the name that errors
 * give it.
 */
export const fromVariables = (
  given: Variables,
  url?: { readonly variable: string; readonly text: Redacted.Redacted }
): Parsed<StoreConfig> => {
  const values: Variables = Object.fromEntries(Object.entries(given).filter(([, value]) => value?.trim() !== ""))
  const names = { namespace: values.namespace, table: values.table, instance: values.instance }
  return Result.map(whereOf(values, url), (where) => ({ where, ...names }))
}

const whereOf = (
  values: Variables,
  url: { readonly variable: string; readonly text: Redacted.Redacted } | undefined
): Parsed<Where> => {
  if (url !== undefined) return fromUrl(url.variable, Redacted.value(url.text), values)
  if (values.url !== undefined) {
    return values.host === undefined
      ? fromUrl(variables.url, values.url, values)
      : invalid(variables.host, `must be absent where ${variables.url} is there`)
  }
  if (values.host !== undefined) return fromParts(values.host, values)
  const alone = (["port", "name", "type"] as const).find((name) => values[name] !== undefined)
  if (alone !== undefined) return invalid(variables[alone], `says nothing without ${variables.host}`)
  return values.appUrl === undefined
    ? Result.succeed({ _tag: "None" })
    : fromUrl(variables.appUrl, values.appUrl, values)
}

const schemes = "postgres://, postgresql://, redis:// or rediss://"

const fromUrl = (variable: string, given: string, values: Variables): Parsed<Where> => {
  const text = given.trim()
  if (text === "none") return Result.succeed({ _tag: "None" })
  const scheme = /^(postgres|postgresql|redis|rediss):\/\//i.exec(text)?.[1]?.toLowerCase()
  if (scheme === undefined) return invalid(variable, `must begin with ${schemes}`)
  let url: URL
  try {
    url = new URL(text)
  } catch {
    return invalid(
      variable,
      "is no URL (in a user or password, characters such as / ? # @ are written as %2F and so on)"
    )
  }
  const isRedis = scheme.startsWith("redis")
  const parameters = UrlParameters.parse(url, isRedis ? "Redis" : "Postgres", variables)
  if (typeof parameters === "string") return invalid(variable, parameters)
  const parts = decodeParts(url, parameters)
  if (parts === undefined) return invalid(variable, "has a % without two hexadecimal digits after it")
  return isRedis ? redisFromUrl(variable, parts, scheme === "rediss", values) : postgresFromUrl(variable, parts, values)
}

interface Parts {
  readonly host: string | undefined
  readonly port: string | undefined
  readonly username: string | undefined
  readonly password: string | undefined
  readonly database: string | undefined
  readonly parameters: { readonly [name: string]: string }
}

const decodeParts = (url: URL, parameters: Parts["parameters"]): Parts | undefined => {
  const decode = (text: string) => (text === "" ? undefined : decodeURIComponent(text))
  try {
    return {
      host: /^\[.*\]$/.test(url.hostname) ? url.hostname.slice(1, -1) : decode(url.hostname),
      port: decode(url.port),
      username: decode(url.username),
      password: decode(url.password),
      database: decode(url.pathname.replace(/^\//, "")),
      parameters
    }
  } catch {
    return undefined
  }
}

const postgresFromUrl = (variable: string, { parameters, ...parts }: Parts, values: Variables): Parsed<Postgres> =>
  Result.gen(function* () {
    const timeout = parameters["connect_timeout"]
    if (timeout !== undefined && !/^\d{1,6}$/.test(timeout)) {
      return yield* invalid(variable, "must have whole seconds as connect_timeout")
    }
    const mode = parameters["sslmode"]
    const tls = mode === undefined ? "disable" : sslmodes[mode]
    if (tls === undefined) {
      return yield* invalid(variable, `must have one of ${Object.keys(sslmodes).join(", ")} as sslmode`)
    }
    return {
      _tag: "Postgres",
      host: parameters["host"] ?? parts.host ?? "localhost",
      port: yield* portOf(variable, "port of the URL", parameters["port"] ?? parts.port, 5432),
      database: parameters["dbname"] ?? parts.database,
      ...credentials(parameters["user"] ?? parts.username, parameters["password"] ?? parts.password, values),
      ...(yield* tlsOf(values, tls)),
      applicationName: parameters["application_name"],
      startupOptions: parameters["options"],
      connectTimeout:
        timeout === undefined
          ? undefined
          : Number(timeout) === 0
            ? Duration.infinity
            : Duration.seconds(Number(timeout))
    }
  })

const sslmodes: { readonly [mode: string]: Tls } = {
  disable: "disable",
  allow: "prefer",
  prefer: "prefer",
  require: "require",
  "verify-ca": "require",
  "verify-full": "require",
  "no-verify": "no-verify"
}

const redisFromUrl = (variable: string, parts: Parts, encrypted: boolean, values: Variables): Parsed<Redis> =>
  Result.gen(function* () {
    return {
      _tag: "Redis",
      host: parts.host ?? "localhost",
      port: yield* portOf(variable, "port of the URL", parts.port, 6379),
      database: yield* numberOf(variable, "path of the URL", parts.database),
      ...credentials(parts.username, parts.password, values),
      ...(yield* redisTlsOf(values, encrypted ? "require" : "disable"))
    }
  })

const fromParts = (host: string, values: Variables): Parsed<Where> =>
  Result.gen(function* () {
    const type = values.type ?? "postgres"
    if (type !== "postgres" && type !== "redis") return yield* invalid(variables.type, "must be postgres or redis")
    if (/[\s/@]/.test(host) && !host.startsWith("/")) {
      return yield* invalid(variables.host, "must be a host, without user, port or path")
    }
    const server = { host, ...credentials(undefined, undefined, values) }
    return type === "postgres"
      ? {
          _tag: "Postgres",
          ...server,
          port: yield* portOf(variables.port, undefined, values.port, 5432),
          ...(yield* tlsOf(values, "disable")),
          database: values.name,
          applicationName: undefined,
          startupOptions: undefined,
          connectTimeout: undefined
        }
      : {
          _tag: "Redis",
          ...server,
          port: yield* portOf(variables.port, undefined, values.port, 6379),
          ...(yield* redisTlsOf(values, "disable")),
          database: yield* numberOf(variables.name, undefined, values.name)
        }
  })

const credentials = (username: string | undefined, password: string | undefined, values: Variables) => {
  const secret = password ?? values.password
  return {
    username: username ?? values.user,
    password: secret === undefined ? undefined : Redacted.make(secret, { label: "password" })
  }
}

const portOf = (variable: string, what: string | undefined, text: string | undefined, otherwise: number) => {
  if (text === undefined) return Result.succeed(otherwise)
  const rule = "a whole number from 1 to 65535"
  return /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535
    ? Result.succeed(Number(text))
    : invalid(variable, what === undefined ? `must be ${rule}` : `must have ${rule} as the ${what}`)
}

const numberOf = (variable: string, what: string | undefined, text: string | undefined) => {
  if (text === undefined) return Result.succeed(0)
  const rule = "the number of a Redis database"
  return /^\d{1,5}$/.test(text)
    ? Result.succeed(Number(text))
    : invalid(variable, what === undefined ? `must be ${rule}` : `must have ${rule} as the ${what}`)
}

const tlsOf = (values: Variables, otherwise: Tls): Parsed<Pick<Server, "tls" | "ca">> => {
  const { tls = otherwise } = values
  const all: ReadonlyArray<Tls> = ["disable", "prefer", "require", "no-verify"]
  const found = all.find((each) => each === tls)
  if (found === undefined) return invalid(variables.tls, `must be one of ${all.join(", ")}`)
  if (values.ca === undefined) return Result.succeed({ tls: found, ca: undefined })
  // Where a file of variables cannot hold lines, they are written as \n.
  const ca = values.ca.replaceAll("\\n", "\n")
  if (!/-----BEGIN CERTIFICATE-----[^]+-----END CERTIFICATE-----/.test(ca)) {
    return invalid(variables.ca, "must hold certificates, from -----BEGIN CERTIFICATE----- on")
  }
  return found === "require"
    ? Result.succeed({ tls: found, ca })
    : invalid(variables.ca, `says nothing where ${variables.tls} is ${found}`)
}

const redisTlsOf = (values: Variables, otherwise: Redis["tls"]): Parsed<Pick<Redis, "tls" | "ca">> =>
  Result.flatMap(tlsOf(values, otherwise), ({ ca, tls }) =>
    tls === "prefer"
      ? invalid(variables.tls, "must be one of disable, require, no-verify for Redis")
      : Result.succeed({ tls, ca })
  )

/**
 * Configuration that reads the variables as text.
 */
export const variablesConfig: Config.Config<Variables> = /* @__PURE__ */ (() =>
  Config.map(
    Config.all(
      Object.entries(variables).map(([name, variable]) =>
        Config.map(Config.option(Config.String(variable)), (value) => [name, Option.getOrUndefined(value)] as const)
      )
    ),
    (entries): Variables => Object.fromEntries(entries)
  ))()

/**
 * Configuration that reads where circuits are shared.
 */
export const config: Config.Config<StoreConfig> = /* @__PURE__ */ (() =>
  Config.mapEffect(variablesConfig, (values) =>
    Result.match(fromVariables(values), {
      onSuccess: (config) => Effect.succeed(config),
      onFailure: ({ rule, variable }) =>
        Schema.decodeUnknownEffect(
          Schema.Unknown.check(Schema.makeFilter(() => ({ path: [variable], issue: `${variable} ${rule}` })))
        )(undefined).pipe(
          Effect.mapError((error) => new Config.ConfigError(error)),
          // The filter lets nothing through.
          Effect.andThen(Effect.never)
        )
    })
  ))()

/**
 * Returns the warning for a password that goes over a network without encryption,
 * or may as the other side wants, or `undefined` if none does.
 */
export const plainText = (where: Where): string | undefined =>
  where._tag === "None" ||
  where.password === undefined ||
  (where.tls !== "disable" && where.tls !== "prefer") ||
  !PlainText.leaves(where.host)
    ? undefined
    : PlainText.warning(
        where._tag === "Postgres" ? "password of PostgreSQL" : "password of Redis",
        Text.printable(where.host),
        where._tag === "Postgres"
          ? `write sslmode=require into its URL, or set ${variables.tls} to require`
          : `write rediss:// in place of redis://, or set ${variables.tls} to require`,
        where.tls === "prefer" ? "may go" : "goes"
      )

/**
 * Returns where circuits are shared, in words and without secrets.
 */
export const describe = (where: Where): string => {
  if (where._tag === "None") return "nowhere: circuits are each process's own"
  const { host, port, username } = where
  const at = host.startsWith("/") ? host : `${host.includes(":") ? `[${host}]` : host}:${port}`
  return [
    where._tag === "Postgres" ? `PostgreSQL at ${at}` : `Redis at ${at}`,
    ...(where.database === undefined ? [] : [`database ${where.database}`]),
    ...(username === undefined ? [] : [`user ${username}`]),
    ...(where.tls === "disable" ? [] : [`TLS ${where.tls}`])
  ].join(", ")
}
