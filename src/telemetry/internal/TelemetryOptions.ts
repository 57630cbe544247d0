/**
 * Options of telemetry, checked when a layer is made.
 */
import * as Schema from "effect/Schema"
import * as ConfigSchema from "../../core/internal/ConfigSchema.ts"
import * as Rules from "../../core/internal/Rules.ts"

const module = "Telemetry"

/**
 * Options of telemetry.
 */
export interface Options {
  /** Whether the latency of calls is measured, at a cost to each call. Default: true. */
  readonly latency?: boolean | undefined
  /** Upper bounds of the buckets of histograms, in seconds. Default: 5 ms to 10 s, as OpenTelemetry has them. */
  readonly buckets?: ReadonlyArray<number> | undefined
  /** Whether refusals, retries and timeouts are events of the current span. Default: true. */
  readonly spans?: boolean | undefined
  /**
   * Breakers whose keys have series of their own, with how many keys at most:
   * `{ tenants: 50 }`. Default: none, keys are counted with their breaker.
   */
  readonly keys?: Readonly<Record<string, number>> | undefined
  /**
   * How many operations, sources and checks have series of their own. Further operations and sources
   * are `"other"`, further checks have none. Default: 100.
   */
  readonly maxValues?: number | undefined
}

/**
 * Values of options that are not given.
 */
export const defaults = {
  latency: true,
  buckets: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
  spans: true,
  keys: {},
  maxValues: 100
} as const satisfies Options

/**
 * Options of telemetry, checked and with their defaults.
 */
export interface Resolved {
  readonly latency: boolean
  /** Seconds. */
  readonly buckets: ReadonlyArray<number>
  readonly spans: boolean
  readonly keys: ReadonlyMap<string, number>
  readonly maxValues: number
}

/**
 * Checks the options of telemetry. Throws an `InvalidOptionError` for one that
 * breaks a rule.
 */
export const resolve = (options: Options = {}): Resolved => {
  const buckets: ReadonlyArray<number> = options.buckets ?? defaults.buckets
  if (!Array.isArray(buckets) || buckets.length === 0) Rules.reject(module, "buckets", buckets, "at least one number")
  buckets.reduce((below: number, bound: number, i) => Rules.above(module, `buckets.${i}`, bound, below), 0)
  const keys = options.keys === undefined ? defaults.keys : Rules.object(module, "keys", options.keys)
  return {
    latency: Rules.boolean(module, "latency", options.latency ?? defaults.latency),
    buckets,
    spans: Rules.boolean(module, "spans", options.spans ?? defaults.spans),
    keys: new Map(
      Object.entries<number>(keys).map(([name, most]) => [name, Rules.count(module, `keys.${name}`, most)])
    ),
    maxValues: Rules.count(module, "maxValues", options.maxValues ?? defaults.maxValues)
  }
}

/**
 * Options of telemetry that a configuration holds.
 */
export interface Config {
  readonly latency?: boolean
  readonly buckets?: ReadonlyArray<number>
  readonly spans?: boolean
  readonly keys?: Readonly<Record<string, number>>
  readonly maxValues?: number
}

/**
 * Options of telemetry in JSON.
 */
export interface ConfigJson extends Config {}

/**
 * Schema of the options of telemetry, to read them from JSON, or from the
 * environment through `Config.schema` of Effect.
 */
export const Config: Schema.Codec<Config, ConfigJson> = /* @__PURE__ */ (() =>
  ConfigSchema.checked(
    ConfigSchema.struct({
      latency: Schema.optionalKey(Schema.Boolean),
      buckets: Schema.optionalKey(Schema.Array(Schema.Number)),
      spans: Schema.optionalKey(Schema.Boolean),
      keys: Schema.optionalKey(Schema.Record(Schema.String, Schema.Number)),
      maxValues: Schema.optionalKey(Schema.Number)
    }),
    (options) => resolve(options)
  ))()

/**
 * Returns the options of telemetry with their defaults, as JSON that `Config`
 * reads.
 */
export const describe = (options?: Options): ConfigJson => {
  const resolved = resolve(options)
  return { ...resolved, keys: Object.fromEntries(resolved.keys) }
}
