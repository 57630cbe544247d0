/**
 * Options of the drivers that the stores are tested with, for a server that the
 * environment names.
 */
import type * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import type * as EnvVariables from "./EnvVariables.ts"

/**
 * Options of `PgClient.layer` of `@effect/sql-pg`.
 */
export interface PgOptions {
  readonly url?: Redacted.Redacted | undefined
  readonly host: string
  readonly port: number
  readonly database?: string | undefined
  readonly username?: string | undefined
  readonly password?: Redacted.Redacted | undefined
  readonly ssl?: boolean | { readonly rejectUnauthorized?: boolean; readonly ca?: string } | undefined
  readonly applicationName?: string | undefined
  readonly startupOptions?: string | undefined
  readonly connectTimeout?: Duration.Duration | undefined
}

/**
 * Returns the options that `PgClient.layer` of `@effect/sql-pg` connects with.
 */
export const pgOptions = (where: EnvVariables.Postgres): PgOptions => ({
  host: where.host,
  port: where.port,
  database: where.database,
  username: where.username,
  password: where.password,
  applicationName: where.applicationName,
  startupOptions: where.startupOptions,
  connectTimeout: where.connectTimeout,
  // Only a URL can say that encryption is optional.
  ...(where.tls === "prefer"
    ? { url: Redacted.make("postgres:///?sslmode=prefer") }
    : { ssl: where.tls === "disable" ? false : (tlsOptions(where) ?? true) })
})

/**
 * Options of `NodeRedis.layer` of `@effect/platform-node`.
 */
export interface RedisOptions {
  readonly socket:
    | { readonly host: string; readonly port: number; readonly tls?: false }
    | {
        readonly host: string
        readonly port: number
        readonly tls: true
        readonly rejectUnauthorized?: boolean
        readonly ca?: string
      }
  readonly username?: string
  /** Password as text, which is how that driver wants it. */
  readonly password?: string
  readonly database: number
}

/**
 * Returns the options that `NodeRedis.layer` of `@effect/platform-node` connects
 * with. They hold the password as text.
 */
export const redisOptions = (where: EnvVariables.Redis): RedisOptions => {
  const { database, host, password, port, username } = where
  return {
    socket: where.tls === "disable" ? { host, port } : { host, port, tls: true, ...tlsOptions(where) },
    database,
    ...(username === undefined ? undefined : { username }),
    ...(password === undefined ? undefined : { password: Redacted.value(password) })
  }
}

const tlsOptions = ({ ca, tls }: EnvVariables.Server) =>
  tls === "no-verify" ? { rejectUnauthorized: false } : ca === undefined ? undefined : { ca }
