/**
 * The store of a worker, as the environment says it.
 */
import * as NodeRedis from "@effect/platform-node/NodeRedis"
import * as PgClient from "@effect/sql-pg/PgClient"
import type * as CircuitStore from "effect-resilience/CircuitStore"
import * as CircuitStoreEnv from "effect-resilience/CircuitStoreEnv"
import type * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Layer from "effect/Layer"
import type { SqlError } from "effect/sql/SqlError"
import type { Setup } from "../fleet/messages.ts"

/** Short, so that what a pool keeps for later is not taken for a leak. */
const idleTimeout = "3 seconds"

/**
 * Provides the store of a process.
 */
export const layer = (
  instance: string,
  { url, ...store }: Setup["store"]
): Layer.Layer<CircuitStore.CircuitStore, Config.ConfigError | CircuitStoreEnv.MissingDriverError | SqlError> => {
  const env = { RESILIENCE_DATABASE_URL: url === "local" ? "none" : url }
  return CircuitStoreEnv.layer({
    postgres: (options) => PgClient.layer({ ...options, connectTimeout: "1 second", idleTimeout }),
    redis: NodeRedis.layer,
    instance,
    ...store
  }).pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env }))))
}
