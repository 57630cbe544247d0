/**
 * The store that an address stands for. Loads the driver of that store only.
 */
import * as CircuitStore from "effect-resilience/CircuitStore"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { RedisError } from "effect/persistence/Redis"
import * as Redacted from "effect/Redacted"
import type { SqlError } from "effect/sql/SqlError"
import type { Setup } from "./messages.ts"

/**
 * Provides the store of a process.
 */
export const layer = (
  instance: string,
  { namespace, url, ...store }: Setup["store"]
): Layer.Layer<CircuitStore.CircuitStore, RedisError | SqlError> => {
  if (url === "local") return CircuitStore.layerLocal
  const options = { instance, namespace, ...store }
  return Layer.unwrap(Effect.promise(() => (/^rediss?:/.test(url) ? redis : postgres)(url, options)))
}

type Options = Omit<Setup["store"], "url"> & { readonly instance: string }

const redis = async (
  url: string,
  options: Options
): Promise<Layer.Layer<CircuitStore.CircuitStore, RedisError | SqlError>> => {
  const [CircuitStoreRedis, NodeRedis] = await Promise.all([
    import("effect-resilience/CircuitStoreRedis"),
    import("@effect/platform-node/NodeRedis")
  ])
  return CircuitStoreRedis.layer(options).pipe(Layer.provide(NodeRedis.layer({ url })))
}

const postgres = async (
  url: string,
  options: Options
): Promise<Layer.Layer<CircuitStore.CircuitStore, RedisError | SqlError>> => {
  const [CircuitStoreSql, PgClient] = await Promise.all([
    import("effect-resilience/CircuitStoreSql"),
    import("@effect/sql-pg/PgClient")
  ])
  return CircuitStoreSql.layer(options).pipe(
    Layer.provide(PgClient.layer({ url: Redacted.make(url), maxConnections: 4 }))
  )
}
