/**
 * Options of all modules: the error of a bad one, and how they are read from the
 * environment.
 */
import * as ConfigProvider from "effect/ConfigProvider"
import { configCase } from "effect/String"

export type { DurationJson } from "./internal/ConfigSchema.ts"
export { InvalidOptionError, type Json } from "./internal/Rules.ts"

/**
 * Returns a provider that finds options under names in upper case: with the
 * prefix `PAYMENTS`, `halfOpen.leaseFor` is `PAYMENTS_HALF_OPEN_LEASE_FOR`.
 *
 * **Details**
 *
 * `ConfigProvider.constantCase` of Effect does the same for single values. In
 * an environment it finds no list or object whose name has several words, such
 * as `halfOpen` or a prefix `PAYMENTS_RETRY`.
 *
 * **Example** (Reading options from the environment)
 *
 * ```ts
 * import { Config, ConfigProvider, Effect } from "effect"
 * import { CircuitBreaker, Options } from "effect-resilience"
 *
 * const env = {
 *   PAYMENTS_BREAKER_OPEN_FOR: "10 seconds",
 *   PAYMENTS_BREAKER_HALF_OPEN_PROBES: "2",
 *   PAYMENTS_BREAKER_TRIP_TYPE: "failures",
 *   PAYMENTS_BREAKER_TRIP_COUNT: "3",
 *   PAYMENTS_BREAKER_TRIP_OF: "10"
 * }
 * const provider = Options.constantCase(ConfigProvider.fromEnv({ env }))
 *
 * const options = Effect.runSync(Config.schema(CircuitBreaker.Config, "PAYMENTS_BREAKER").parse(provider))
 *
 * options.halfOpen // => { probes: 2 }
 * options.trip // => { _tag: "Failures", count: 3, of: 10, minimumCalls: 3 }
 * ```
 */
export const constantCase = (provider: ConfigProvider.ConfigProvider): ConfigProvider.ConfigProvider =>
  // The environment is a tree of words.
  ConfigProvider.mapInput(provider, (path) =>
    path.flatMap((segment): ConfigProvider.Path =>
      typeof segment === "string" ? configCase(segment).split("_") : [segment]
    )
  )
