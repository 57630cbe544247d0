/**
 * Store that shares circuits through Redis.
 *
 * **Details**
 *
 * - The layer works over any client that provides `Redis` of
 *   `effect/persistence`. Changes are told by PUBLISH.
 * - A healthy call asks Redis nothing. `CircuitStoreTable` says how circuits
 *   are kept in step, and what happens while Redis is away.
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
import type * as CircuitStore from "./CircuitStore.ts"
import * as CircuitStoreTable from "./CircuitStoreTable.ts"
import * as CircuitTableRedis from "./CircuitTableRedis.ts"

/**
 * Options of the store. All have defaults.
 */
export interface Options extends CircuitStoreTable.Options, CircuitTableRedis.Options {}

/**
 * Provides the store. Options that break a rule let the layer die with an
 * `InvalidOptionError`.
 */
export const layer = (options?: Options): Layer.Layer<CircuitStore.CircuitStore, never, Redis.Redis> =>
  CircuitStoreTable.layer(CircuitTableRedis.make(options), options)
