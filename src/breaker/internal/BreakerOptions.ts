/**
 * Options of a breaker: their defaults, their checks, and their form in JSON.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as CircuitState from "../../circuit/CircuitState.ts"
import * as TripPolicy from "../../circuit/TripPolicy.ts"
import * as ConfigSchema from "../../core/internal/ConfigSchema.ts"
import * as Rules from "../../core/internal/Rules.ts"
import * as Outcome from "../../core/Outcome.ts"
import * as Backoff from "../../policies/Backoff.ts"

/**
 * Options of a breaker. All have defaults.
 */
export interface Options extends Outcome.Options {
  /** When a closed circuit opens. Default: 5 consecutive failures. */
  readonly trip?: TripPolicy.TripPolicy | undefined
  /**
   * How long the circuit stays open: a duration, or a schedule whose n-th delay
   * is for the n-th opening (its last one repeats). The count begins again once
   * the circuit has stayed closed as long as it was last open. Default: 30
   * seconds.
   */
  readonly openFor?: Duration.Input | Schedule.Schedule<unknown> | undefined
  /** Upper bound of the open time, for schedules and hints. Default: 1 hour, or `openFor` where that is longer. */
  readonly maxOpenFor?: Duration.Input | undefined
  /** How a circuit that was open is tried. */
  readonly halfOpen?: HalfOpenOptions | undefined
  /** Whether all is counted and reported and nothing refused. Default: false. */
  readonly dryRun?: boolean | undefined
  /** Whether changes of state are logged: a Warning for open, else an Info. Default: true. */
  readonly log?: boolean | undefined
  /** Bounds of the circuits of keys. */
  readonly keys?: KeysOptions | undefined
}

/**
 * Options that say how a circuit that was open is tried.
 */
export interface HalfOpenOptions {
  /** Probes that may run at one time. Default: 1. */
  readonly probes?: number | undefined
  /**
   * Probes that have to succeed. A number: that many, and one failure opens the
   * circuit again. `{ count, of }` or `{ ratio, of }`: so many, or that share,
   * among `of`. Default: 1.
   */
  readonly successes?:
    | number
    | { readonly count: number; readonly of: number }
    | { readonly ratio: number; readonly of: number }
    | undefined
  /** How long a probe that does not settle keeps its permit. Default: 30 seconds. */
  readonly leaseFor?: Duration.Input | undefined
  /** How long to wait after a probe that was interrupted or ignored. Default: 1 second. */
  readonly pace?: Duration.Input | undefined
}

/**
 * Options that bound the circuits of keys.
 *
 * **Details**
 *
 * A circuit that is open, half-open, held or in use is not forgotten, so there
 * may be more than `max` while there are as many of those: twice `max`, or `max`
 * and 100 where that is more. Calls with further keys share one circuit, whose
 * key is `(other keys)`. It may be forgotten once it was not used for `idleFor`
 * after its open time, its pace or its hold was over. A key is kept with at most
 * 512 characters, a longer one with a hash at its end.
 */
export interface KeysOptions {
  /** Circuits that are kept; beyond, the least recently used are forgotten. Default: 10 000. */
  readonly max?: number | undefined
  /** How long a circuit is kept that is not used. Default: 1 hour. */
  readonly idleFor?: Duration.Input | undefined
}

/**
 * Values of options that are not given.
 */
export const defaults = {
  openFor: "30 seconds",
  maxOpenFor: "1 hour",
  halfOpen: { probes: 1, successes: 1, leaseFor: "30 seconds", pace: "1 second" },
  dryRun: false,
  log: true,
  keys: { max: 10_000, idleFor: "1 hour" }
} as const

/**
 * Options of a breaker, all there and checked. Durations are in milliseconds.
 */
export interface Resolved extends Required<Outcome.Options> {
  readonly trip: TripPolicy.TripPolicy
  readonly openFor: number | Schedule.Schedule<unknown>
  readonly maxOpenFor: number
  readonly halfOpen: {
    readonly probes: number
    readonly successes: number | { readonly count: number; readonly of: number }
    readonly leaseFor: number
    readonly pace: number
  }
  readonly dryRun: boolean
  readonly log: boolean
  readonly keys: { readonly max: number; readonly idleFor: number }
}

const module = "CircuitBreaker"

/**
 * Checks options and fills in the defaults. Throws an `InvalidOptionError`.
 */
export const resolve = (options: Options = {}): Resolved => {
  const { classify, failureIf, ignore, retryAfter } = options
  const trip = options.trip === undefined ? TripPolicy.consecutive() : TripPolicy.check(options.trip)
  const halfOpen = resolveHalfOpen(options.halfOpen)
  const keys = options.keys === undefined ? defaults.keys : Rules.object(module, "keys", options.keys)
  const openFor = options.openFor ?? defaults.openFor
  const opens = Schedule.isSchedule(openFor) ? openFor : Rules.millis(module, "openFor", openFor)
  const shortest = typeof opens === "number" ? opens : 0
  const maxOpenFor =
    options.maxOpenFor === undefined
      ? Math.max(shortest, Duration.toMillis(defaults.maxOpenFor))
      : Rules.millis(module, "maxOpenFor", options.maxOpenFor)
  if (shortest > maxOpenFor) Rules.reject(module, "openFor", openFor, `at most maxOpenFor (${maxOpenFor} ms)`)
  const resolved = {
    trip,
    openFor: opens,
    maxOpenFor,
    halfOpen,
    classify,
    failureIf,
    ignore,
    retryAfter,
    dryRun: Rules.boolean(module, "dryRun", options.dryRun ?? defaults.dryRun),
    log: Rules.boolean(module, "log", options.log ?? defaults.log),
    keys: {
      max: Rules.count(module, "keys.max", keys.max ?? defaults.keys.max),
      idleFor: Rules.millis(module, "keys.idleFor", keys.idleFor ?? defaults.keys.idleFor)
    }
  }
  Outcome.classifier(resolved) // checks its options
  return resolved
}

const resolveHalfOpen = (given: HalfOpenOptions = {}): Resolved["halfOpen"] => {
  const options = Rules.object(module, "halfOpen", given)
  return {
    probes: Rules.count(module, "halfOpen.probes", options.probes ?? defaults.halfOpen.probes),
    successes: resolveSuccesses(options.successes ?? defaults.halfOpen.successes),
    leaseFor: Rules.millis(module, "halfOpen.leaseFor", options.leaseFor ?? defaults.halfOpen.leaseFor),
    pace: Rules.millis(module, "halfOpen.pace", options.pace ?? defaults.halfOpen.pace)
  }
}

const resolveSuccesses = (successes: NonNullable<HalfOpenOptions["successes"]>): Resolved["halfOpen"]["successes"] => {
  const field = "halfOpen.successes"
  if (typeof successes !== "object") return Rules.count(module, field, successes)
  if ("count" in successes === "ratio" in successes) {
    Rules.reject(module, field, successes, "a count or a ratio, not both")
  }
  const of = Rules.count(module, `${field}.of`, successes.of)
  const count =
    "count" in successes
      ? Rules.count(module, `${field}.count`, successes.count)
      : countOf(Rules.ratio(module, `${field}.ratio`, successes.ratio), of)
  if (count > of) {
    Rules.reject(module, `${field}.count`, count, `at most of (${of}), or the circuit could never close`)
  }
  return count === of ? count : { count, of }
}

// The least count whose share of `of` reaches the ratio. A product with a
// fraction may come out above the whole number that is meant.
const countOf = (ratio: number, of: number): number => {
  const count = Math.ceil(ratio * of)
  return (count - 1) / of >= ratio ? count - 1 : count
}

/**
 * Returns the numbers that the state machine works by.
 */
export const machine = ({ halfOpen: { leaseFor, pace, probes, successes } }: Resolved): CircuitState.Config => ({
  probes,
  needed: typeof successes === "number" ? successes : successes.count,
  of: typeof successes === "number" ? successes : successes.of,
  leaseMillis: leaseFor,
  paceMillis: pace
})

/**
 * Returns how long the n-th opening lasts, in milliseconds, counted from 1.
 */
export const openMillis = ({ openFor }: Resolved): ((opening: number) => number | Effect.Effect<number>) =>
  typeof openFor === "number" ? () => openFor : delays(openFor)

// Replays the schedule up to the n-th delay, on a time that passes as if each
// opening followed the other at once: elapsed time then is time spent open.
const delays =
  (schedule: Schedule.Schedule<unknown>) =>
  (opening: number): Effect.Effect<number> =>
    Effect.gen(function* () {
      const step = yield* Schedule.toStep(schedule)
      let now = yield* Clock.currentTimeMillis
      let millis = 0
      for (let n = 1; n <= opening; n++) {
        const result = yield* Effect.exit(step(now, n))
        if (Exit.isFailure(result)) break
        millis = Duration.toMillis(result.value[1])
        now += millis
      }
      return millis
    })

/**
 * Options of a breaker as JSON, with all defaults. Those that JSON cannot hold
 * are named: `"a function"`, `"a schedule"`.
 */
export interface Description extends ConfigJson {
  readonly classify?: "a function"
  readonly retryAfter?: "a function"
}

/**
 * Returns options as JSON, with all defaults, as `Config` reads it back.
 */
export const describe = (options?: Options): Description => describeResolved(resolve(options))

export const describeResolved = (options: Resolved | Outcome.Options): Description =>
  JSON.parse(print(options) ?? "{}") as Description // JSON of the same options

const print = (option: unknown): string | undefined =>
  JSON.stringify(option, (_, value: unknown) =>
    TripPolicy.isTripPolicy(value)
      ? TripPolicy.describe(value)
      : Backoff.isBackoff(value)
        ? value[Backoff.TypeId]
        : Schedule.isSchedule(value)
          ? "a schedule"
          : typeof value === "function"
            ? "a function"
            : value
  )

/**
 * Returns the differences between two sets of options, each as `option: this | that`.
 */
export const differences = (a: Resolved, b: Resolved): Array<string> => {
  if (a === b) return []
  const found: Array<string> = []
  const others: Rules.Json = { ...b }
  for (const [name, option] of Object.entries(a)) {
    const [left, right] = [print(option), print(others[name])]
    if (left !== right) found.push(`${name}: ${left ?? "none"} | ${right ?? "none"}`)
  }
  for (const [name, left] of Object.entries(a)) {
    const right = others[name]
    if (isOpaque(left) && isOpaque(right) && left !== right) found.push(`${name}: another function`)
  }
  return found
}

// Functions, and schedules, print alike.
const isOpaque = (option: unknown): boolean =>
  typeof option === "function" || (Schedule.isSchedule(option) && !Backoff.isBackoff(option))

/**
 * Options of a breaker that `Config` has read.
 */
export type Config = Omit<Options, "classify" | "failureIf" | "ignore" | "retryAfter"> & {
  readonly failureIf?: string | ReadonlyArray<string> | undefined
  readonly ignore?: string | ReadonlyArray<string> | undefined
}

/**
 * Options of a breaker in JSON.
 */
export interface ConfigJson {
  readonly trip?: TripPolicy.ConfigJson
  readonly openFor?: ConfigSchema.DurationJson | Backoff.ConfigJson
  readonly maxOpenFor?: ConfigSchema.DurationJson
  readonly halfOpen?: {
    readonly probes?: number
    readonly successes?: number | Share
    readonly leaseFor?: ConfigSchema.DurationJson
    readonly pace?: ConfigSchema.DurationJson
  }
  readonly failureIf?: string | ReadonlyArray<string>
  readonly ignore?: string | ReadonlyArray<string>
  readonly dryRun?: boolean
  readonly log?: boolean
  readonly keys?: {
    readonly max?: number
    readonly idleFor?: ConfigSchema.DurationJson
  }
}

type Share = Exclude<HalfOpenOptions["successes"], number | undefined>

/**
 * Schema of a breaker's options in JSON, or in the environment through
 * `Config.schema` of Effect. A bad option is a `SchemaError` with its path.
 *
 * **Example** (Reading options)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { CircuitBreaker } from "effect-resilience"
 *
 * const program = Effect.gen(function*() {
 *   const options = yield* Schema.decodeUnknownEffect(CircuitBreaker.Config)({
 *     trip: { type: "failures", count: 3, of: 10 },
 *     openFor: "10 seconds",
 *     halfOpen: { probes: 2, successes: { count: 2, of: 3 } }
 *   })
 *   const breaker = yield* CircuitBreaker.make("payments", options)
 *   return CircuitBreaker.describe(breaker)["openFor"]
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => 10000
 * ```
 */
export const Config: Schema.Codec<Config, ConfigJson> = /* @__PURE__ */ (() => {
  const tags = Schema.optionalKey(Schema.Union([Schema.String, Schema.Array(Schema.String)]))
  const number = Schema.optionalKey(Schema.Number)
  // `resolve` refuses both and neither. Of two structs it would not be known which is meant.
  const share = ConfigSchema.struct({
    count: number,
    ratio: number,
    of: Schema.Number
  }) as unknown as Schema.Codec<Share>
  return ConfigSchema.checked(
    ConfigSchema.struct({
      trip: Schema.optionalKey(TripPolicy.Config),
      openFor: Schema.optionalKey(Schema.Union([ConfigSchema.DurationInput, Backoff.Config])),
      maxOpenFor: Schema.optionalKey(ConfigSchema.DurationInput),
      halfOpen: Schema.optionalKey(
        ConfigSchema.struct({
          probes: number,
          successes: Schema.optionalKey(Schema.Union([Schema.Number, share])),
          leaseFor: Schema.optionalKey(ConfigSchema.DurationInput),
          pace: Schema.optionalKey(ConfigSchema.DurationInput)
        })
      ),
      failureIf: tags,
      ignore: tags,
      dryRun: Schema.optionalKey(Schema.Boolean),
      log: Schema.optionalKey(Schema.Boolean),
      keys: Schema.optionalKey(
        ConfigSchema.struct({
          max: number,
          idleFor: Schema.optionalKey(ConfigSchema.DurationInput)
        })
      )
    }),
    resolve
  )
})()
