/**
 * Configuration of a policy.
 */
import type * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import * as CircuitBreaker from "../../breaker/CircuitBreaker.ts"
import * as ConfigSchema from "../../core/internal/ConfigSchema.ts"
import * as Rules from "../../core/internal/Rules.ts"
import * as Retry from "../../policies/Retry.ts"
import * as Timeout from "../../policies/Timeout.ts"
import { slotLayers } from "./PolicyLayers.ts"

/**
 * Decoded slots of a policy: those of `make` without the fallback, and a breaker
 * by its name and options.
 */
export interface Config {
  readonly deadline?: Duration.Duration | (typeof Timeout.Config)["Type"]
  readonly retry?: Retry.ConfigOptions
  readonly breaker?: { readonly name: string; readonly options?: CircuitBreaker.Config }
  readonly attemptTimeout?: Duration.Duration | (typeof Timeout.Config)["Type"]
}

/**
 * Policy in JSON.
 */
export interface ConfigJson {
  readonly deadline?: ConfigSchema.DurationJson | Timeout.ConfigJson
  readonly retry?: Retry.ConfigJson
  readonly breaker?: { readonly name: string; readonly options?: CircuitBreaker.ConfigJson }
  readonly attemptTimeout?: ConfigSchema.DurationJson | Timeout.ConfigJson
}

/**
 * Schema of a policy in JSON, or in the environment through `Config.schema` of
 * Effect. A bad option is a `SchemaError` with its path.
 */
export const Config: Schema.Codec<Config, ConfigJson> = /* @__PURE__ */ (() => {
  const after = Schema.optionalKey(Schema.Union([ConfigSchema.DurationInput, Timeout.Config]))
  return ConfigSchema.checked(
    ConfigSchema.struct({
      deadline: after,
      retry: Schema.optionalKey(Retry.Config),
      breaker: Schema.optionalKey(
        ConfigSchema.checked(
          ConfigSchema.struct({ name: Schema.String, options: Schema.optionalKey(CircuitBreaker.Config) }),
          ({ name }) => Rules.name("Policy", "name", name)
        )
      ),
      attemptTimeout: after
    }),
    ({ breaker: _, ...slots }: Config) => slotLayers(slots)
  )
})()
