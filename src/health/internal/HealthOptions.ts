/**
 * Options of the health layer.
 */
import type * as Duration from "effect/Duration"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as ConfigSchema from "../../core/internal/ConfigSchema.ts"
import * as Rules from "../../core/internal/Rules.ts"
import { ensureCheck, type Check } from "./HealthCheck.ts"

const module = "Health"

/**
 * Checks by name.
 */
export interface Checks {
  readonly [name: string]: Check<unknown>
}

/**
 * Options of the health layer.
 */
export interface Options<out C = Record<never, never>, out RS = never> {
  /** Version of the service, shown in the report. Default: none. */
  readonly version?: string | undefined
  /** How long to wait for a check that has no `timeout`. Default: 5 seconds. */
  readonly timeout?: Duration.Input | undefined
  /**
   * How long a result is used again. Default: 0, each report runs its checks;
   * with `schedule`, until the next result.
   */
  readonly ttl?: Duration.Input | undefined
  /** How many checks run at the same time, those of liveness not counted. Default: `"unbounded"`. */
  readonly concurrency?: number | "unbounded" | undefined
  /** Checks by name. Default: none. */
  readonly checks?: C | undefined
  /**
   * When all checks run in the background: a schedule, or the pause between two
   * rounds. Default: never.
   */
  readonly schedule?: Duration.Input | Schedule.Schedule<unknown, unknown, never, RS> | undefined
}

/**
 * Values of options that are not given.
 */
export const defaults = {
  timeout: "5 seconds",
  ttl: 0,
  concurrency: "unbounded"
} as const satisfies Options

/**
 * Options of the health layer, checked and with their defaults. Durations are
 * milliseconds.
 */
export interface Resolved<out C = Record<never, never>, out RS = never> {
  readonly version: string | undefined
  readonly timeout: number
  /** `undefined` where it is not given: its default depends on the schedule. */
  readonly ttl: number | undefined
  readonly concurrency: number | "unbounded"
  readonly checks: C
  readonly schedule: number | Schedule.Schedule<unknown, unknown, never, RS> | undefined
}

/**
 * Checks the options of the health layer. Throws an `InvalidOptionError` for one
 * that breaks a rule.
 */
export const resolve = <C extends Checks = Record<never, never>, RS = never>(
  options: Options<C, RS> = {}
): Resolved<C, RS> => {
  const { concurrency, schedule, timeout, ttl, version } = options
  return {
    version: version === undefined ? undefined : Rules.name(module, "version", version),
    timeout: Rules.millis(module, "timeout", timeout ?? defaults.timeout),
    ttl: ttl === undefined ? undefined : Rules.millis(module, "ttl", ttl, "zero"),
    concurrency:
      concurrency === undefined || concurrency === "unbounded"
        ? defaults.concurrency
        : Rules.count(module, "concurrency", concurrency),
    checks: resolveChecks(options.checks),
    schedule:
      schedule === undefined || Schedule.isSchedule(schedule) ? schedule : Rules.millis(module, "schedule", schedule)
  }
}

const resolveChecks = <C extends Checks>(checks: C | undefined): C => {
  if (checks !== undefined) Rules.object(module, "checks", checks)
  for (const [name, check] of Object.entries<Check<unknown>>(checks ?? {})) {
    Rules.name(module, "checks", name)
    ensureCheck(`checks.${name}`, check)
  }
  // Where no checks are given, their type is that of none.
  return checks ?? ({} as C)
}

/**
 * Options of the health layer that a configuration holds.
 */
export interface Config {
  readonly version?: string
  readonly timeout?: Duration.Duration
  readonly ttl?: Duration.Duration
  readonly concurrency?: number | "unbounded"
  readonly schedule?: Duration.Duration
}

/**
 * Options of the health layer in JSON.
 */
export interface ConfigJson {
  readonly version?: string
  readonly timeout?: ConfigSchema.DurationJson
  readonly ttl?: ConfigSchema.DurationJson
  readonly concurrency?: number | "unbounded"
  readonly schedule?: ConfigSchema.DurationJson
}

/**
 * Schema of the options of the health layer, to read them from JSON, or from
 * the environment through `Config.schema` of Effect.
 */
export const Config: Schema.Codec<Config, ConfigJson> = /* @__PURE__ */ (() =>
  ConfigSchema.checked(
    ConfigSchema.struct({
      version: Schema.optionalKey(Schema.String),
      timeout: Schema.optionalKey(ConfigSchema.DurationInput),
      ttl: Schema.optionalKey(ConfigSchema.DurationInput),
      concurrency: Schema.optionalKey(Schema.Union([Schema.Literal("unbounded"), Schema.Number])),
      schedule: Schema.optionalKey(ConfigSchema.DurationInput)
    }),
    (options) => resolve(options)
  ))()

/**
 * Returns the options of the health layer with their defaults, as JSON that
 * `Config` reads.
 *
 * **Details**
 *
 * Durations are milliseconds. The checks are left out, and so is a `ttl` that
 * depends on the schedule. A schedule that is not a duration is `"a schedule"`.
 */
export const describe = <C extends Checks = Record<never, never>, RS = never>(options?: Options<C, RS>): ConfigJson => {
  const {
    concurrency,
    schedule,
    timeout,
    ttl = schedule === undefined ? defaults.ttl : undefined,
    version
  } = resolve(options)
  return {
    ...(version === undefined ? undefined : { version }),
    timeout,
    ...(ttl === undefined ? undefined : { ttl }),
    concurrency,
    ...(schedule === undefined ? undefined : { schedule: typeof schedule === "number" ? schedule : "a schedule" })
  }
}
