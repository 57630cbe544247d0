/**
 * Store that the environment says: PostgreSQL, Redis, or the local one.
 *
 * **Details**
 *
 * - `EnvVariables` says which variables there are. Without any of them circuits
 *   are each process's own, which is said in the log.
 * - The drivers are the application's, so that an application that uses one of
 *   them installs no other.
 * - The layer is there, and closes, whatever the database does. Where it is away
 *   at the start, circuits are the process's own until it answers.
 *
 * **Example** (Sharing where the environment says so)
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
import type * as Config from "effect/Config"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redis from "effect/persistence/Redis"
import type * as SqlClient from "effect/sql/SqlClient"
import * as Background from "../core/internal/Background.ts"
import * as Rules from "../core/internal/Rules.ts"
import * as CircuitStore from "./CircuitStore.ts"
import * as CircuitStoreRedis from "./CircuitStoreRedis.ts"
import * as CircuitStoreSql from "./CircuitStoreSql.ts"
import * as CircuitStoreTable from "./CircuitStoreTable.ts"
import * as EnvVariables from "./internal/EnvVariables.ts"
import * as LazyRedis from "./LazyRedis.ts"

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
 * and what a process needs to be back soon after an outage.
 */
export interface RedisOptions extends EnvVariables.RedisOptions {
  /** A command that cannot be sent fails at once, and is not done later. */
  readonly disableOfflineQueue: true
  /** Keeps a connection that is idle from its timeout. */
  readonly pingInterval: number
  readonly socket: EnvVariables.RedisOptions["socket"] & {
    /** Time after which a connection that was forgotten on its way is replaced. */
    readonly socketTimeout: number
    readonly reconnectStrategy: (retries: number, cause: Error) => number | Error
  }
}

/**
 * Options of the store. The namespace, the table and the instance of the
 * environment go before those given here.
 */
export interface Options<E1 = never, R1 = never, E2 = never, R2 = never> extends CircuitStoreTable.Options {
  /** Makes the client of PostgreSQL: `PgClient.layer` of `@effect/sql-pg`. */
  readonly postgres?: ((options: EnvVariables.PgOptions) => Layer.Layer<SqlClient.SqlClient, E1, R1>) | undefined
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
 * Provides the store that the environment says.
 *
 * **Details**
 *
 * Fails with a `ConfigError` that names the variable that breaks a rule, with a
 * `MissingDriverError`, and with what the layer of PostgreSQL fails with, which
 * connects later. A server that is away, or that refuses the password, is a
 * store that does not answer: see `CircuitStore.Status`.
 */
export const layer = <E1 = never, R1 = never, E2 = never, R2 = never>({
  postgres,
  redis,
  ...options
}: Options<E1, R1, E2, R2>): Layer.Layer<
  CircuitStore.CircuitStore,
  Config.ConfigError | MissingDriverError | E1,
  R1 | R2
> =>
  Layer.unwrap<CircuitStore.CircuitStore, E1, R1 | R2, Config.ConfigError | MissingDriverError, never>(
    Effect.gen(function* () {
      const { instance, namespace, table, where } = yield* EnvVariables.config
      const given = {
        ...options,
        instance: instance ?? options.instance,
        namespace: namespace ?? options.namespace,
        table: table ?? options.table
      }
      const said = (what: string) => (options.log === false ? Effect.void : Effect.logInfo(what))
      switch (where._tag) {
        case "None":
          yield* said(`Circuits are not shared: ${EnvVariables.variables.url} is not set`)
          return CircuitStore.layerLocal
        case "Postgres":
          if (postgres === undefined) return yield* new MissingDriverError({ driver: "postgres" })
          yield* said(`Circuits are shared through ${EnvVariables.describe(where)}`)
          return CircuitStoreSql.layer(given).pipe(
            // A connection that listens waits for its server as it closes.
            Layer.provide(Background.layer(postgres(EnvVariables.pgOptions(where))))
          )
        case "Redis":
          if (redis === undefined) return yield* new MissingDriverError({ driver: "redis" })
          yield* said(`Circuits are shared through ${EnvVariables.describe(where)}`)
          return CircuitStoreRedis.layer({ ...given, prefix: given.table }).pipe(
            Layer.provide(connecting(redis, where, options.pollEvery))
          )
      }
    })
  )

/** Returns a client of Redis that connects when it is needed, and again where its connection is gone. */
const connecting = <E, R>(
  redis: (options: RedisOptions) => Layer.Layer<Redis.Redis, E, R>,
  where: EnvVariables.Redis,
  pollEvery: CircuitStoreTable.Options["pollEvery"]
): Layer.Layer<Redis.Redis, never, R> =>
  Layer.suspend(() => {
    const every = Rules.millis("CircuitStore", "pollEvery", pollEvery ?? CircuitStoreTable.defaults.pollEvery)
    // What the store sends counts as activity of its connection, so this is shorter than the time between two polls.
    const longest = every * 0.4
    let connected = false
    const options = EnvVariables.redisOptions(where)
    const client = redis({
      ...options,
      disableOfflineQueue: true,
      pingInterval: every * 0.1,
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
