/**
 * Store that shares circuits through Redis.
 *
 * **Details**
 *
 * - The layer works over any client that provides `Redis` of
 *   `effect/persistence`. Changes are announced with PUBLISH.
 * - A healthy call does not ask Redis. `CircuitStoreTable` describes how circuits
 *   are kept in step, also while Redis is away.
 *
 * **Example** (Sharing a breaker with the other processes of a service)
 *
 * ```ts no-run
 * import { NodeRedis } from "@effect/platform-node"
 * import { Layer } from "effect"
 * import { CircuitBreaker, CircuitStoreRedis, LazyRedis } from "effect-resilience"
 *
 * class Payments extends CircuitBreaker.Service<Payments>()("payments") {}
 *
 * const PaymentsLive = Payments.layerShared.pipe(
 *   Layer.provide(CircuitStoreRedis.layer()),
 *   Layer.provide(LazyRedis.layer(NodeRedis.layer({ url: "redis://localhost:6379" })))
 * )
 * ```
 */
import type * as Layer from "effect/Layer"
import type * as Redis from "effect/persistence/Redis"
import * as Schema from "effect/Schema"
import * as ConfigSchema from "../core/internal/ConfigSchema.ts"
import type * as CircuitStore from "./CircuitStore.ts"
import * as CircuitStoreTable from "./CircuitStoreTable.ts"
import * as CircuitTableRedis from "./CircuitTableRedis.ts"
import * as StoreOptions from "./internal/StoreOptions.ts"

/**
 * Options of the store. All have defaults.
 */
export interface Options extends CircuitStoreTable.Options, CircuitTableRedis.Options {}

/**
 * Values of the options that are not given.
 */
export const defaults = { ...CircuitStoreTable.defaults, ...CircuitTableRedis.defaults } as const

/**
 * Options, checked and with their defaults. Durations are in milliseconds.
 */
export interface Resolved extends CircuitStoreTable.Resolved, CircuitTableRedis.Resolved {}

/**
 * Checks options and fills in the defaults. Throws an `InvalidOptionError`.
 */
export const resolve = (options?: Options): Resolved => ({
  ...CircuitStoreTable.resolve(options),
  ...CircuitTableRedis.resolve(options)
})

/**
 * Options in JSON.
 */
export interface ConfigJson extends CircuitStoreTable.ConfigJson, CircuitTableRedis.ConfigJson {}

/**
 * Schema of the options, to read them from JSON, or from the environment through
 * `Config.schema` of Effect.
 */
export const Config: Schema.Codec<Options, ConfigJson> = /* @__PURE__ */ (() => {
  const text = Schema.optionalKey(Schema.String)
  return ConfigSchema.checked(ConfigSchema.struct({ ...StoreOptions.fields(), prefix: text, namespace: text }), resolve)
})()

/**
 * Returns the options with their defaults, as JSON that `Config` reads. Durations
 * are in milliseconds.
 */
export const describe = (options?: Options): ConfigJson => ({
  ...CircuitStoreTable.describe(options),
  ...CircuitTableRedis.describe(options)
})

/**
 * Provides the store. The layer throws an `InvalidOptionError` as a defect for
 * options that break a rule.
 */
export const layer = (options?: Options): Layer.Layer<CircuitStore.CircuitStore, never, Redis.Redis> =>
  CircuitStoreTable.layer(CircuitTableRedis.make(options), options)
