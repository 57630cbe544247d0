/**
 * `Config.schema` of Effect throws "does not support opaque StringTree
 * encodings" for a schema whose encoded side does not say which keys there are,
 * so options could be read from JSON in one variable only.
 */
import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Schema } from "effect"
import * as Backoff from "../../src/policies/Backoff.ts"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as Health from "../../src/health/Health.ts"
import * as Policy from "../../src/compose/Policy.ts"
import * as Retry from "../../src/policies/Retry.ts"
import * as Timeout from "../../src/policies/Timeout.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"

describe("opaque StringTree encodings", () => {
  const schemas: ReadonlyArray<readonly [string, Schema.Codec<unknown, unknown>]> = [
    ["Backoff.Config", Backoff.Config],
    ["CircuitBreaker.Config", CircuitBreaker.Config],
    ["Health.CheckConfig", Health.CheckConfig],
    ["Health.Config", Health.Config],
    ["Policy.Config", Policy.Config],
    ["Retry.Config", Retry.Config],
    ["Timeout.Config", Timeout.Config],
    ["TripPolicy.Config", TripPolicy.Config]
  ]
  for (const [name, schema] of schemas) {
    it(`${name} is a schema that Config.schema takes, alone and inside others`, () => {
      assert.isTrue(Config.isConfig(Config.schema(schema, "PREFIX")))
      const outer = Schema.Struct({ inner: Schema.Array(schema) })
      assert.isTrue(Config.isConfig(Config.schema(outer, "PREFIX")))
    })
  }

  it("the error is that of a schema whose keys are not known", () => {
    const opaque = Schema.Struct({ options: Schema.Record(Schema.String, Schema.Unknown) })
    assert.throws(() => Config.schema(opaque, "PREFIX"), "opaque StringTree encodings")
  })

  it.effect("nested options are read from variables of their own", () =>
    Effect.gen(function* () {
      const options = yield* Config.schema(CircuitBreaker.Config, "PREFIX")
      assert.deepStrictEqual(options.halfOpen, { probes: 2 })
    }).pipe(
      Effect.provideService(
        ConfigProvider.ConfigProvider,
        ConfigProvider.fromEnv({ env: { PREFIX_halfOpen_probes: "2" } })
      )
    )
  )
})
