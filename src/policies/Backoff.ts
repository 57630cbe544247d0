/**
 * Backoff: how long to wait before each retry.
 *
 * **Details**
 *
 * - A backoff is a `Schedule` that never stops and whose output is the delay,
 *   so it can be used wherever Effect takes a schedule, and combined with
 *   others. `describe` returns its options as plain data.
 * - The delay grows from `initial` up to `max`. Jitter is drawn within
 *   `[0, max]`, also at `max`: the range is cut off before the draw, so delays
 *   do not gather at `max`. Any number of attempts gives a finite delay.
 * - Random numbers come from the fiber's `Random`.
 * - A backoff is stateless: each run of a retry starts at `initial`.
 *
 * | jitter | a delay `d` becomes |
 * |---|---|
 * | `"none"` | `d` |
 * | `"full"` | uniform in `[0, d]` |
 * | `"equal"` | uniform in `[d / 2, d]` |
 * | `"decorrelated"` | uniform in `[initial, min(max, previous * factor)]` |
 * | `ratio(x)` | uniform in `[d * (1 - x), min(max, d * (1 + x))]` |
 *
 * **Gotchas**
 *
 * - A backoff alone never ends a retry. `Retry` has `maxAttempts` for that;
 *   with `Effect.retry` give `times`.
 * - `Schedule` functions such as `Schedule.upTo` return plain schedules without
 *   `[TypeId]`.
 *
 * **Example** (Reading the delays of a backoff)
 *
 * ```ts
 * import { Duration } from "effect"
 * import { Backoff } from "effect-resilience"
 *
 * const backoff = Backoff.exponential({ initial: "100 millis", max: "1 second" })
 *
 * Backoff.delays(backoff, 5).map(Duration.toMillis) // => [100, 200, 400, 800, 1000]
 * ```
 *
 * Full, equal and decorrelated jitter are those of Marc Brooker, "Exponential
 * Backoff And Jitter", AWS Architecture Blog, 2015.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import { hasProperty, isObject } from "effect/Predicate"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as ConfigSchema from "../core/internal/ConfigSchema.ts"
import * as Rules from "../core/internal/Rules.ts"

const module = "Backoff"

/**
 * Key of the property that holds the options of a backoff.
 */
export const TypeId = "~effect-resilience/Backoff"

/**
 * Type of the key that holds the options of a backoff.
 */
export type TypeId = typeof TypeId

/**
 * Schedule that never stops and whose output is the delay.
 */
export interface Backoff extends Schedule.Schedule<Duration.Duration> {
  readonly [TypeId]: Resolved
}

/**
 * Jitter of a share of the delay, made by `ratio`.
 */
export interface Ratio {
  readonly _tag: "Ratio"
  readonly ratio: number
}

/**
 * Jitter that any delay can have.
 */
export type Jitter = "none" | "full" | "equal" | Ratio

/**
 * Options of `exponential`.
 */
export interface ExponentialOptions {
  /** First delay, more than zero. Default: 100 millis. */
  readonly initial?: Duration.Input | undefined
  /** Factor from each delay to the next, at least 1. Default: 2, or 3 with decorrelated jitter. */
  readonly factor?: number | undefined
  /** Longest delay, at least `initial`. Default: 1 minute. */
  readonly max?: Duration.Input | undefined
  /** Randomness of the delays. Default: "full". */
  readonly jitter?: Jitter | "decorrelated" | undefined
}

/**
 * Options of `linear`.
 */
export interface LinearOptions {
  /** First delay, zero or more. Default: 100 millis. */
  readonly initial?: Duration.Input | undefined
  /** Difference between delays, more than zero. Required where `initial` is zero. Default: `initial`. */
  readonly increment?: Duration.Input | undefined
  /** Longest delay, more than zero and at least `initial`. Default: 1 minute. */
  readonly max?: Duration.Input | undefined
  /** Randomness of the delays. Default: "full". */
  readonly jitter?: Jitter | undefined
}

/**
 * Options of `fibonacci`.
 */
export interface FibonacciOptions {
  /** First and second delay, more than zero. Default: 100 millis. */
  readonly initial?: Duration.Input | undefined
  /** Longest delay, at least `initial`. Default: 1 minute. */
  readonly max?: Duration.Input | undefined
  /** Randomness of the delays. Default: "full". */
  readonly jitter?: Jitter | undefined
}

/**
 * Options of `constant`.
 */
export interface ConstantOptions {
  /** Every delay, zero or more. */
  readonly delay: Duration.Input
  /** Randomness of the delays. Default: "none". */
  readonly jitter?: Jitter | undefined
}

/**
 * Options of a backoff, with `type` for the name of its constructor.
 */
export type Input =
  | ({ readonly type: "exponential" } & ExponentialOptions)
  | ({ readonly type: "linear" } & LinearOptions)
  | ({ readonly type: "fibonacci" } & FibonacciOptions)
  | ({ readonly type: "constant" } & ConstantOptions)

/**
 * Options of a backoff, all there and checked: plain data that `make` and
 * `Config` read. Durations are in milliseconds.
 */
export type Resolved =
  | {
      readonly type: "exponential"
      readonly initial: number
      readonly factor: number
      readonly max: number
      readonly jitter: Jitter | "decorrelated"
    }
  | {
      readonly type: "linear"
      readonly initial: number
      readonly increment: number
      readonly max: number
      readonly jitter: Jitter
    }
  | {
      readonly type: "fibonacci"
      readonly initial: number
      readonly max: number
      readonly jitter: Jitter
    }
  | {
      readonly type: "constant"
      readonly delay: number
      readonly jitter: Jitter
    }

/**
 * Defaults of the options, by constructor.
 */
export const defaults = {
  exponential: { initial: "100 millis", factor: 2, max: "1 minute", jitter: "full" },
  linear: { initial: "100 millis", max: "1 minute", jitter: "full" },
  fibonacci: { initial: "100 millis", max: "1 minute", jitter: "full" },
  constant: { jitter: "none" },
  /** `factor` of `exponential` with decorrelated jitter. */
  decorrelatedFactor: 3
} as const

/**
 * Returns whether a value is a backoff.
 */
export const isBackoff = (u: unknown): u is Backoff => Schedule.isSchedule(u) && hasProperty(u, TypeId)

/**
 * Creates jitter of a share of the delay, such as 0.1 for 10 % less to 10 %
 * more.
 *
 * **Details**
 *
 * `ratio` is in (0, 1]. The delay is uniform in `[d * (1 - ratio), d * (1 + ratio)]`
 * with the upper end cut off at `max`, so at `max` it is up to `ratio` less.
 * `constant` has no `max`, so its delays spread to both sides.
 */
export const ratio = (ratio: number): Ratio => ({ _tag: "Ratio", ratio: Rules.ratio(module, "ratio", ratio) })

/**
 * Creates a backoff whose delay is multiplied by `factor` each time.
 *
 * **Details**
 *
 * With `jitter: "decorrelated"` each delay is drawn between `initial` and
 * `factor` times the delay before. The original formula draws beyond `max` and
 * takes the smaller of the two, so that after `max` two draws of three are `max`
 * again; here the range ends at `max`.
 */
export const exponential = (options: ExponentialOptions = {}): Backoff => fromResolved(resolveExponential(options))

/**
 * Creates a backoff whose delay grows by `increment` each time.
 */
export const linear = (options: LinearOptions = {}): Backoff => fromResolved(resolveLinear(options))

/**
 * Creates a backoff whose delay is the sum of the two delays before.
 */
export const fibonacci = (options: FibonacciOptions = {}): Backoff => fromResolved(resolveFibonacci(options))

/**
 * Creates a backoff whose delay is always the same.
 */
export const constant = (options: Duration.Input | ConstantOptions): Backoff =>
  fromResolved(resolveConstant(isConstantOptions(options) ? options : { delay: options }))

const isConstantOptions = (options: Duration.Input | ConstantOptions): options is ConstantOptions =>
  typeof options === "object" && options !== null && "delay" in options

/**
 * Creates a backoff from the name of its constructor and the options of that
 * constructor. A key that the constructor does not have throws an
 * `InvalidOptionError`.
 */
export const make = (options: Input): Backoff => fromResolved(resolve(options))

/**
 * Checks the options of a backoff and fills in the defaults, or returns those of
 * a backoff. Throws an `InvalidOptionError`, also for a key that the constructor
 * does not have.
 */
export const resolve = (options: Input | Backoff): Resolved => {
  if (isBackoff(options)) return options[TypeId]
  const { type, ...rest } = options
  const allow = (...keys: ReadonlyArray<string>) => Rules.keys(module, rest, keys)
  switch (options.type) {
    case "exponential":
      allow("initial", "factor", "max", "jitter")
      return resolveExponential(options)
    case "linear":
      allow("initial", "increment", "max", "jitter")
      return resolveLinear(options)
    case "fibonacci":
      allow("initial", "max", "jitter")
      return resolveFibonacci(options)
    case "constant":
      allow("delay", "jitter")
      return resolveConstant(options)
    default:
      return Rules.reject(module, "type", type, "one of exponential, linear, fibonacci, constant")
  }
}

const resolveExponential = (options: ExponentialOptions): Resolved => {
  const {
    initial = defaults.exponential.initial,
    jitter = defaults.exponential.jitter,
    max = defaults.exponential.max
  } = options
  const { factor = jitter === "decorrelated" ? defaults.decorrelatedFactor : defaults.exponential.factor } = options
  if (!(Number.isFinite(factor) && factor >= 1)) Rules.reject(module, "factor", factor, "a finite number >= 1")
  return {
    type: "exponential",
    ...bounds(initial, max),
    factor,
    jitter:
      jitter === "decorrelated" ? jitter : checkJitter(jitter, `"none", "full", "equal", "decorrelated" or a ratio`)
  }
}

const resolveLinear = (options: LinearOptions): Resolved => {
  const { initial = defaults.linear.initial, jitter = defaults.linear.jitter, max = defaults.linear.max } = options
  const { increment = initial } = options
  return {
    type: "linear",
    ...bounds(initial, max, "zero"),
    increment: Rules.millis(module, "increment", increment),
    jitter: checkJitter(jitter)
  }
}

const resolveFibonacci = (options: FibonacciOptions): Resolved => {
  const {
    initial = defaults.fibonacci.initial,
    jitter = defaults.fibonacci.jitter,
    max = defaults.fibonacci.max
  } = options
  return { type: "fibonacci", ...bounds(initial, max), jitter: checkJitter(jitter) }
}

const resolveConstant = (options: ConstantOptions): Resolved => {
  const { delay, jitter = defaults.constant.jitter } = options
  return {
    type: "constant",
    delay: Rules.millis(module, "delay", delay, "zero"),
    jitter: checkJitter(jitter)
  }
}

/**
 * Returns the options of a backoff as JSON that `Config` reads, with their
 * defaults filled in.
 */
export const describe = (options: Input | Backoff): ConfigJson => ({ ...resolve(options) })

/**
 * Returns the first `count` delays without their jitter.
 *
 * **Details**
 *
 * With full, equal or decorrelated jitter these are the longest delays that can
 * be drawn.
 */
export const delays: {
  (count: number): (self: Backoff) => ReadonlyArray<Duration.Duration>
  (self: Backoff, count: number): ReadonlyArray<Duration.Duration>
} = /* @__PURE__ */ dual(2, (self: Backoff, count: number): ReadonlyArray<Duration.Duration> => {
  const resolved = self[TypeId]
  const next = resolved.jitter === "decorrelated" ? start(resolved) : growth(resolved)
  return Array.from({ length: Rules.count(module, "count", count, 0) }, () => Duration.millis(next(() => 1)))
})

/**
 * Backoff in JSON: the name of its constructor and the options of that
 * constructor.
 */
export type ConfigJson =
  | {
      readonly type: "exponential"
      readonly initial?: ConfigSchema.DurationJson
      readonly factor?: number
      readonly max?: ConfigSchema.DurationJson
      readonly jitter?: JitterJson | "decorrelated"
    }
  | {
      readonly type: "linear"
      readonly initial?: ConfigSchema.DurationJson
      readonly increment?: ConfigSchema.DurationJson
      readonly max?: ConfigSchema.DurationJson
      readonly jitter?: JitterJson
    }
  | {
      readonly type: "fibonacci"
      readonly initial?: ConfigSchema.DurationJson
      readonly max?: ConfigSchema.DurationJson
      readonly jitter?: JitterJson
    }
  | {
      readonly type: "constant"
      readonly delay: ConfigSchema.DurationJson
      readonly jitter?: JitterJson
    }

type JitterJson = Exclude<Jitter, Ratio> | { readonly _tag?: "Ratio"; readonly ratio: number }

/**
 * Schema of a backoff in JSON, or in the environment through `Config.schema` of
 * Effect: an object with `type` for the name of the constructor and the options
 * of that constructor.
 *
 * **Details**
 *
 * Durations are strings such as `"100 millis"`, or milliseconds. Jitter is a
 * name, or `{ "ratio": 0.1 }`.
 */
export const Config: Schema.Codec<Backoff, ConfigJson> = /* @__PURE__ */ (() =>
  ConfigSchema.parsed(
    {
      type: Schema.String,
      initial: ConfigSchema.DurationInput,
      factor: Schema.Number,
      increment: ConfigSchema.DurationInput,
      max: ConfigSchema.DurationInput,
      delay: ConfigSchema.DurationInput,
      jitter: Schema.Union([Schema.String, ConfigSchema.struct({ ratio: Schema.Number })])
    },
    isBackoff,
    ({ jitter, ...json }) =>
      make({
        ...json,
        ...(jitter === undefined ? undefined : { jitter: isObject(jitter) ? { _tag: "Ratio", ...jitter } : jitter })
        // `make` checks the type, the keys and each value itself.
      } as unknown as Input),
    (backoff): ConfigJson => ({ ...backoff[TypeId] })
  ))()

const fromResolved = (resolved: Resolved): Backoff =>
  Object.assign(
    Schedule.fromStep<unknown, Duration.Duration, never, never, never, never>(
      Effect.sync(() => {
        const next = start(resolved)
        return () =>
          Effect.withFiberSucceed((fiber): [Duration.Duration, Duration.Duration] => {
            const random = fiber.getRef(Random.Random)
            const delay = Duration.millis(next(() => random.nextDoubleUnsafe()))
            return [delay, delay]
          })
      })
    ),
    { [TypeId]: resolved }
  )

/**
 * Starts a backoff: returns the function that draws its next delay, in
 * milliseconds.
 */
const start = (resolved: Resolved): ((draw: () => number) => number) => {
  const { jitter } = resolved
  if (jitter === "decorrelated") {
    // `exponential` alone takes it.
    const { factor, initial, max } = resolved as Extract<Resolved, { readonly type: "exponential" }>
    let previous = initial
    return (draw) => (previous = between(initial, Math.min(max, previous * factor), draw()))
  }
  const next = growth(resolved)
  if (jitter === "none") return next
  // The share of the delay that the jitter takes away at most, and adds at most.
  const [less, more] = jitter === "full" ? [1, 0] : jitter === "equal" ? [0.5, 0] : [jitter.ratio, jitter.ratio]
  const max = resolved.type === "constant" ? Number.MAX_VALUE : resolved.max
  return (draw) => {
    const delay = next()
    return between(delay * (1 - less), Math.min(max, delay * (1 + more)), draw())
  }
}

/**
 * Returns the function that returns the next delay without jitter, in
 * milliseconds.
 */
const growth = (resolved: Resolved): (() => number) => {
  if (resolved.type === "constant") return () => resolved.delay
  let delay = resolved.initial
  let before = 0
  return () => {
    const current = delay
    const grown =
      resolved.type === "exponential"
        ? current * resolved.factor
        : current + (resolved.type === "linear" ? resolved.increment : before)
    // The delay is at most `max`, so no number of attempts makes it infinite or NaN.
    delay = Math.min(resolved.max, grown)
    before = current
    return current
  }
}

// The sum may be rounded to more than `high`.
const between = (low: number, high: number, draw: number): number => Math.min(high, low + draw * (high - low))

const bounds = (initial: Duration.Input, max: Duration.Input, min?: "zero") => {
  const low = Rules.millis(module, "initial", initial, min)
  const high = Rules.millis(module, "max", max)
  if (high < low) Rules.reject(module, "max", max, `at least initial (${low} ms)`)
  return { initial: low, max: high }
}

const checkJitter = (jitter: Jitter, rule = `"none", "full", "equal" or a ratio (${onlyExponential})`): Jitter => {
  if (jitter === "none" || jitter === "full" || jitter === "equal") return jitter
  if (jitter === null || jitter._tag !== "Ratio") {
    return Rules.reject(module, "jitter", jitter, rule)
  }
  for (const [key, value] of Object.entries<unknown>({ ...jitter })) {
    if (key !== "_tag" && key !== "ratio") {
      Rules.reject(module, `jitter.${key}`, value, "absent (the keys are _tag, ratio)")
    }
  }
  return { _tag: "Ratio", ratio: Rules.ratio(module, "jitter.ratio", jitter.ratio) }
}

const onlyExponential = `"decorrelated" grows from the delay before it, so it is for exponential only`
