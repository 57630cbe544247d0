import { Config, Schema } from "effect"
import type { Duration } from "effect"
import { describe, expectTypeOf, it } from "vitest"
import * as Backoff from "../../src/policies/Backoff.ts"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as Health from "../../src/health/Health.ts"
import * as ConfigSchema from "../../src/core/internal/ConfigSchema.ts"
import * as Policy from "../../src/compose/Policy.ts"
import * as Retry from "../../src/policies/Retry.ts"
import * as Timeout from "../../src/policies/Timeout.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"

describe("a configuration", () => {
  it("in JSON has a type", () => {
    expectTypeOf<typeof Backoff.Config.Encoded>().toEqualTypeOf<Backoff.ConfigJson>()
    expectTypeOf<typeof CircuitBreaker.Config.Encoded>().toEqualTypeOf<CircuitBreaker.ConfigJson>()
    expectTypeOf<typeof Health.CheckConfig.Encoded>().toEqualTypeOf<Health.CheckConfigJson>()
    expectTypeOf<typeof Health.Config.Encoded>().toEqualTypeOf<Health.ConfigJson>()
    expectTypeOf<typeof Policy.Config.Encoded>().toEqualTypeOf<Policy.ConfigJson>()
    expectTypeOf<typeof Retry.Config.Encoded>().toEqualTypeOf<Retry.ConfigJson>()
    expectTypeOf<typeof Timeout.Config.Encoded>().toEqualTypeOf<Timeout.ConfigJson>()
    expectTypeOf<typeof TripPolicy.Config.Encoded>().toEqualTypeOf<TripPolicy.ConfigJson>()
    expectTypeOf(TripPolicy.describe).returns.toEqualTypeOf<TripPolicy.ConfigJson>()
    TripPolicy.fromJson({ type: "any", policies: [] } satisfies TripPolicy.ConfigJson)
  })

  it("is checked where it is written in code", () => {
    const policy = Schema.decodeSync(Policy.Config)
    policy({
      deadline: "10 seconds",
      retry: { maxAttempts: "Infinity", while: ["A"], backoff: { type: "linear", jitter: { ratio: 0.1 } } },
      breaker: {
        name: "payments",
        options: {
          trip: { type: "any", policies: [{ type: "rate" }, { type: "failures", count: 3, of: 10 }] },
          openFor: { type: "exponential", jitter: "decorrelated" },
          halfOpen: { successes: { ratio: 0.5, of: 4 } }
        }
      },
      attemptTimeout: { after: 500 }
    })
    // @ts-expect-error an unknown key
    policy({ timeout: 1 })
    // @ts-expect-error a text that is no number
    policy({ retry: { maxAttempts: "3" } })
    // @ts-expect-error an unknown type
    policy({ retry: { backoff: { type: "cubic" } } })
    // @ts-expect-error the option of another constructor
    policy({ retry: { backoff: { type: "linear", factor: 2 } } })
    // @ts-expect-error jitter that only exponential has
    policy({ retry: { backoff: { type: "linear", jitter: "decorrelated" } } })
    // @ts-expect-error a breaker without a name
    policy({ breaker: {} })
    // @ts-expect-error a count without the number that it is of
    policy({ breaker: { name: "a", options: { halfOpen: { successes: { count: 1 } } } } })
    // @ts-expect-error the option of another trip policy
    policy({ breaker: { name: "a", options: { trip: { type: "consecutive", count: 1 } } } })
  })

  it("from the environment is what the constructors take", () => {
    expectTypeOf(Config.schema(Retry.Config, "P")).toEqualTypeOf<Config.Config<Retry.ConfigOptions>>()
    expectTypeOf(Config.schema(Policy.Config, "P")).toEqualTypeOf<Config.Config<Policy.Config>>()
    expectTypeOf(Config.schema(TripPolicy.Config)).toEqualTypeOf<Config.Config<TripPolicy.TripPolicy>>()
    expectTypeOf(Config.schema(Backoff.Config)).toEqualTypeOf<Config.Config<Backoff.Backoff>>()
  })

  it("of several fields has the types of the fields", () => {
    const schema = ConfigSchema.struct({
      wait: ConfigSchema.DurationInput,
      retry: Schema.optionalKey(Retry.Config)
    })
    expectTypeOf<typeof schema.Type>().toEqualTypeOf<{
      readonly wait: Duration.Duration
      readonly retry?: Retry.ConfigOptions
    }>()
    expectTypeOf<typeof schema.Encoded>().toEqualTypeOf<{
      readonly wait: ConfigSchema.DurationJson
      readonly retry?: Retry.ConfigJson
    }>()
  })
})
