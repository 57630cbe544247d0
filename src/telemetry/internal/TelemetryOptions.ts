/**
 * Options of telemetry, checked when a layer is made.
 */
import * as Rules from "../../core/internal/Rules.ts"

/**
 * Options of the telemetry.
 */
export interface Options {
  /** Whether the latency of calls is measured, which each call pays for. Default: true. */
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
 * Values that options have where they are not given.
 */
export const defaults = {
  latency: true,
  buckets: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
  spans: true,
  keys: {},
  maxValues: 100
} as const

/**
 * Options, checked and with their defaults.
 */
export interface Settings {
  readonly latency: boolean
  readonly buckets: ReadonlyArray<number>
  readonly spans: boolean
  readonly keys: ReadonlyMap<string, number>
  readonly maxValues: number
}

/**
 * Returns the settings that options say, and throws an `InvalidOptionError` for
 * one that breaks a rule.
 */
export const resolve = (options: Options = {}): Settings => {
  const buckets = options.buckets ?? defaults.buckets
  if (buckets.length === 0) Rules.reject("Telemetry", "buckets", buckets, "at least one number")
  buckets.forEach((bound, i) => Rules.above("Telemetry", `buckets.${i}`, bound, buckets[i - 1] ?? 0))
  return {
    latency: Rules.boolean("Telemetry", "latency", options.latency ?? defaults.latency),
    buckets,
    spans: Rules.boolean("Telemetry", "spans", options.spans ?? defaults.spans),
    keys: new Map(
      Object.entries<number>(options.keys ?? defaults.keys).map(([name, most]) => [
        name,
        Rules.count("Telemetry", `keys.${name}`, most)
      ])
    ),
    maxValues: Rules.count("Telemetry", "maxValues", options.maxValues ?? defaults.maxValues)
  }
}
