/**
 * Store that the environment names: PostgreSQL, Redis, or the local one.
 *
 * **Details**
 *
 * - `config` reads the variables, and `resilience --help` lists them. Without any
 *   of them circuits are each process's own, which is logged.
 * - The drivers are the application's, so that an application that uses one of
 *   them installs no other.
 * - The layer is built, and closes, whatever the database does. If it is away at
 *   the start, circuits are the process's own until it answers.
 *
 * **Example** (Sharing where the environment names a database)
 *
 * ```ts no-run
 * import { NodeRedis } from "@effect/platform-node"
 * import { PgClient } from "@effect/sql-pg"
 * import { Layer } from "effect"
 * import { CircuitBreaker, CircuitStoreEnv } from "effect-resilience"
 *
 * class Payments extends CircuitBreaker.Service<Payments>()("payments") {}
 *
 * const StoreLive = CircuitStoreEnv.layer({ postgres: PgClient.layer, redis: NodeRedis.layer })
 *
 * const PaymentsLive = Payments.layerShared.pipe(Layer.provide(StoreLive))
 * ```
 */
import type { ConfigError } from "effect/Config"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redis from "effect/persistence/Redis"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import * as Background from "../core/internal/Background.ts"
import * as ConfigSchema from "../core/internal/ConfigSchema.ts"
import * as Rules from "../core/internal/Rules.ts"
import * as CircuitStore from "./CircuitStore.ts"
import * as CircuitStoreRedis from "./CircuitStoreRedis.ts"
import * as CircuitStoreSql from "./CircuitStoreSql.ts"
import * as CircuitStoreTable from "./CircuitStoreTable.ts"
import * as DriverOptions from "./internal/DriverOptions.ts"
import * as EnvVariables from "./internal/EnvVariables.ts"
import * as StoreOptions from "./internal/StoreOptions.ts"
import * as LazyRedis from "./LazyRedis.ts"

export type { PgOptions } from "./internal/DriverOptions.ts"
export { config, InvalidVariableError } from "./internal/EnvVariables.ts"
export type { None, Postgres, Redis, Server, StoreConfig, Tls, Where } from "./internal/EnvVariables.ts"

/**
 * Error of an environment that names a database for which the application gave
 * no driver.
 */
export class MissingDriverError extends Data.TaggedError("MissingDriverError")<{
  /** Option of `layer` that has the driver. */
  readonly driver: "postgres" | "redis"
}> {
  override get message(): string {
    return `CircuitStoreEnv: the environment says ${this.driver}, and the layer has no option \`${this.driver}\``
  }
}

/**
 * Options of `NodeRedis.layer` of `@effect/platform-node`: where the server is,
 * and how to reconnect soon after an outage.
 */
export interface RedisOptions extends DriverOptions.RedisOptions {
  /** A command that cannot be sent fails at once, and is not sent later. */
  readonly disableOfflineQueue: true
  /** Keeps a connection that is idle from its timeout. */
  readonly pingInterval: number
  readonly socket: DriverOptions.RedisOptions["socket"] & {
    /** Time after which a connection that was forgotten on its way is replaced. */
    readonly socketTimeout: number
    readonly reconnectStrategy: (retries: number, cause: Error) => number | Error
  }
}

/**
 * Options of the store. The namespace, the table and the instance that the
 * environment names win over those given here.
 */
export interface Options<E1 = never, R1 = never, E2 = never, R2 = never> extends CircuitStoreTable.Options {
  /** Makes the client of PostgreSQL: `PgClient.layer` of `@effect/sql-pg`. */
  readonly postgres?: ((options: DriverOptions.PgOptions) => Layer.Layer<SqlClient.SqlClient, E1, R1>) | undefined
  /** Makes the client of Redis: `NodeRedis.layer` of `@effect/platform-node`. */
  readonly redis?: ((options: RedisOptions) => Layer.Layer<Redis.Redis, E2, R2>) | undefined
  /** Circuits of one namespace are shared. Default: `"default"`. */
  readonly namespace?: string | undefined
  /** Name of the table in PostgreSQL, and first part of all keys in Redis. Default: that of the store. */
  readonly table?: string | undefined
  /** Whether to make the table in PostgreSQL, or bring it up to date. Default: true. */
  readonly migrate?: boolean | undefined
}

/**
 * Values of the options that are not given.
 */
export const defaults = { ...CircuitStoreTable.defaults, namespace: "default", migrate: true } as const

/**
 * Options, checked and with their defaults. Durations are in milliseconds.
 */
export interface Resolved<E1 = never, R1 = never, E2 = never, R2 = never> extends CircuitStoreTable.Resolved {
  readonly postgres: Options<E1, R1>["postgres"]
  readonly redis: Options<never, never, E2, R2>["redis"]
  readonly namespace: string
  /** Absent where none is given: its default is that of the store. */
  readonly table: string | undefined
  readonly migrate: boolean
}

const module = "CircuitStoreEnv"

/**
 * Checks options and fills in the defaults. Throws an `InvalidOptionError`.
 */
export const resolve = <E1 = never, R1 = never, E2 = never, R2 = never>(
  options: Options<E1, R1, E2, R2> = {}
): Resolved<E1, R1, E2, R2> => {
  const { migrate, namespace, postgres, redis, table } = options
  return {
    ...CircuitStoreTable.resolve(options),
    postgres: postgres === undefined ? undefined : Rules.fn(module, "postgres", postgres),
    redis: redis === undefined ? undefined : Rules.fn(module, "redis", redis),
    namespace: Rules.name(module, "namespace", namespace ?? defaults.namespace),
    table: table === undefined ? undefined : Rules.name(module, "table", table),
    migrate: Rules.boolean(module, "migrate", migrate ?? defaults.migrate)
  }
}

/**
 * Options that are data.
 */
export type Config = Omit<Options, "postgres" | "redis">

/**
 * Options in JSON.
 */
export interface ConfigJson extends CircuitStoreTable.ConfigJson {
  readonly namespace?: string
  readonly table?: string
  readonly migrate?: boolean
}

/**
 * Schema of the options that are data, to read them from JSON, or from the
 * environment through `Config.schema` of Effect.
 */
export const Config: Schema.Codec<Config, ConfigJson> = /* @__PURE__ */ (() => {
  const text = Schema.optionalKey(Schema.String)
  const migrate = Schema.optionalKey(Schema.Boolean)
  return ConfigSchema.checked(
    ConfigSchema.struct({ ...StoreOptions.fields(), namespace: text, table: text, migrate }),
    (options) => resolve(options)
  )
})()

/**
 * Options with their defaults, as JSON.
 */
export interface Description extends ConfigJson {
  readonly postgres?: "a function"
  readonly redis?: "a function"
}

/**
 * Returns the options with their defaults, as JSON that `Config` reads where no
 * driver is given. Durations are in milliseconds.
 */
export const describe = <E1 = never, R1 = never, E2 = never, R2 = never>(
  options?: Options<E1, R1, E2, R2>
): Description => {
  const { migrate, namespace, postgres, redis, table } = resolve(options)
  return {
    ...CircuitStoreTable.describe(options),
    ...(postgres === undefined ? undefined : { postgres: "a function" }),
    ...(redis === undefined ? undefined : { redis: "a function" }),
    namespace,
    ...(table === undefined ? undefined : { table }),
    migrate
  }
}

/**
 * Provides the store that the environment names.
 *
 * **Details**
 *
 * Fails with a `ConfigError` that names the variable that breaks a rule, with a
 * `MissingDriverError`, and with the errors of the layer of PostgreSQL, which
 * connects later. A server that is away, or that refuses the password, is a
 * store that does not answer: see `CircuitStore.Status`.
 */
export const layer = <E1 = never, R1 = never, E2 = never, R2 = never>(
  options: Options<E1, R1, E2, R2> = {}
): Layer.Layer<CircuitStore.CircuitStore, ConfigError | MissingDriverError | E1, R1 | R2> =>
  Layer.unwrap<CircuitStore.CircuitStore, E1, R1 | R2, ConfigError | MissingDriverError, never>(
    Effect.gen(function* () {
      const { log, pollEvery, postgres, redis } = resolve(options)
      const { instance, namespace, table, where } = yield* EnvVariables.config
      const given = {
        ...options,
        instance: instance ?? options.instance,
        namespace: namespace ?? options.namespace,
        table: table ?? options.table
      }
      const note = (what: string) => (log ? Effect.logInfo(what) : Effect.void)
      const plainText = EnvVariables.plainText(where)
      if (log && plainText !== undefined) yield* Effect.logWarning(plainText)
      switch (where._tag) {
        case "None":
          yield* note(`Circuits are not shared: ${EnvVariables.variables.url} is not set`)
          return CircuitStore.layerLocal
        case "Postgres":
          if (postgres === undefined) return yield* new MissingDriverError({ driver: "postgres" })
          yield* note(`Circuits are shared through ${EnvVariables.describe(where)}`)
          return CircuitStoreSql.layer(given).pipe(
            // A connection that listens waits for its server as it closes.
            Layer.provide(Background.layer(postgres(DriverOptions.pgOptions(where))))
          )
        case "Redis":
          if (redis === undefined) return yield* new MissingDriverError({ driver: "redis" })
          yield* note(`Circuits are shared through ${EnvVariables.describe(where)}`)
          return CircuitStoreRedis.layer({ ...given, prefix: given.table }).pipe(
            Layer.provide(connecting(redis, where, pollEvery))
          )
      }
    })
  )

/** Returns a client of Redis that connects when it is needed, and again where its connection is gone. */
const connecting = <E, R>(
  redis: (options: RedisOptions) => Layer.Layer<Redis.Redis, E, R>,
  where: EnvVariables.Redis,
  pollEvery: number
): Layer.Layer<Redis.Redis, never, R> =>
  Layer.suspend(() => {
    // Commands of the store count as activity of its connection, so this is shorter than the time between two polls.
    const longest = pollEvery * 0.4
    let connected = false
    const options = DriverOptions.redisOptions(where)
    const client = redis({
      ...options,
      disableOfflineQueue: true,
      pingInterval: pollEvery * 0.1,
      socket: {
        ...options.socket,
        socketTimeout: longest,
        // The first connection fails for those who wait for it, and is tried again as a whole.
        reconnectStrategy: (retries, cause) => (connected ? Math.min(2 ** retries * 50, longest) : cause)
      }
    })
    return LazyRedis.layer(
      Layer.tap(client, () =>
        Effect.sync(() => {
          connected = true
        })
      )
    )
  })
