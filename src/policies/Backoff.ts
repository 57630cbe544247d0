/**
 * Backoff: how long to wait before each retry.
 *
 * **Details**
 *
 * - A backoff is a `Schedule` that never stops and whose output is the delay,
 *   so it can be used wherever Effect takes a schedule, and combined with
 *   others. `[TypeId]` holds what it was made of, as plain data.
 * - The delay grows from `initial` up to `max`. Jitter is drawn within
 *   `[0, max]`, also at `max`: the range is cut off before the draw, so delays
 *   do not gather at `max`. Any number of attempts gives a finite delay.
 * - Random numbers come from the fiber's `Random`.
 * - A backoff holds no state: each run of a retry starts at `initial`.
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

/**
 * Key of the property that holds what a backoff was made of.
 */
export const TypeId = "~effect-resilience/Backoff"

/**
 * Type of the key that holds what a backoff was made of.
 */
export type TypeId = typeof TypeId

/**
 * Schedule that never stops and whose output is the delay.
 */
export interface Backoff extends Schedule.Schedule<Duration.Duration> {
  readonly [TypeId]: Spec
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
  /** First delay, more than zero. Default 100 millis. */
  readonly initial?: Duration.Input | undefined
  /** What each delay is multiplied by, at least 1. Default 2, or 3 with decorrelated jitter. */
  readonly factor?: number | undefined
  /** Longest delay, at least `initial`. Default 1 minute. */
  readonly max?: Duration.Input | undefined
  /** Default `"full"`. */
  readonly jitter?: Jitter | "decorrelated" | undefined
}

/**
 * Options of `linear`.
 */
export interface LinearOptions {
  /** First delay, zero or more. Default 100 millis. */
  readonly initial?: Duration.Input | undefined
  /** What is added to each delay, more than zero. Default `initial`: where that is zero, it has to be given. */
  readonly increment?: Duration.Input | undefined
  /** Longest delay, more than zero and at least `initial`. Default 1 minute. */
  readonly max?: Duration.Input | undefined
  /** Default `"full"`. */
  readonly jitter?: Jitter | undefined
}

/**
 * Options of `fibonacci`.
 */
export interface FibonacciOptions {
  /** First and second delay, more than zero. Default 100 millis. */
  readonly initial?: Duration.Input | undefined
  /** Longest delay, at least `initial`. Default 1 minute. */
  readonly max?: Duration.Input | undefined
  /** Default `"full"`. */
  readonly jitter?: Jitter | undefined
}

/**
 * Options of `constant`.
 */
export interface ConstantOptions {
  /** Every delay, zero or more. */
  readonly delay: Duration.Input
  /** Default `"none"`. */
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
 * What a backoff was made of, with its defaults filled in: plain data that
 * `make` and `Config` read. Durations are milliseconds.
 */
export type Spec =
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
 * Values that options have where they are not given.
 */
export const defaults = {
  initial: "100 millis",
  factor: 2,
  /** `factor` with decorrelated jitter. */
  decorrelatedFactor: 3,
  max: "1 minute",
  jitter: "full",
  /** `jitter` of `constant`. */
  constantJitter: "none"
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
export const ratio = (ratio: number): Ratio => ({ _tag: "Ratio", ratio: Rules.ratio("Backoff", "ratio", ratio) })

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
export const exponential = (options: ExponentialOptions = {}): Backoff => {
  const { initial = defaults.initial, jitter = defaults.jitter, max = defaults.max } = options
  const { factor = jitter === "decorrelated" ? defaults.decorrelatedFactor : defaults.factor } = options
  if (!(Number.isFinite(factor) && factor >= 1)) Rules.reject("Backoff", "factor", factor, "a finite number >= 1")
  return fromSpec({
    type: "exponential",
    ...bounds(initial, max),
    factor,
    jitter:
      jitter === "decorrelated" ? jitter : checkJitter(jitter, `"none", "full", "equal", "decorrelated" or a ratio`)
  })
}

/**
 * Creates a backoff whose delay grows by `increment` each time.
 */
export const linear = (options: LinearOptions = {}): Backoff => {
  const { initial = defaults.initial, jitter = defaults.jitter, max = defaults.max } = options
  const { increment = initial } = options
  return fromSpec({
    type: "linear",
    ...bounds(initial, max, "zero"),
    increment: Rules.millis("Backoff", "increment", increment),
    jitter: checkJitter(jitter)
  })
}

/**
 * Creates a backoff whose delay is the sum of the two delays before.
 */
export const fibonacci = (options: FibonacciOptions = {}): Backoff => {
  const { initial = defaults.initial, jitter = defaults.jitter, max = defaults.max } = options
  return fromSpec({ type: "fibonacci", ...bounds(initial, max), jitter: checkJitter(jitter) })
}

/**
 * Creates a backoff whose delay is always the same.
 */
export const constant = (options: Duration.Input | ConstantOptions): Backoff => {
  const { delay, jitter = defaults.constantJitter } = isConstantOptions(options) ? options : { delay: options }
  return fromSpec({
    type: "constant",
    delay: Rules.millis("Backoff", "delay", delay, "zero"),
    jitter: checkJitter(jitter)
  })
}

const isConstantOptions = (options: Duration.Input | ConstantOptions): options is ConstantOptions =>
  typeof options === "object" && options !== null && "delay" in options

/**
 * Creates a backoff from the name of its constructor and the options of that
 * constructor, such as the `[TypeId]` of another backoff.
 *
 * **Details**
 *
 * A key that the constructor does not have throws an `InvalidOptionError`.
 */
export const make = (options: Input): Backoff => {
  const { type, ...rest } = options
  const allow = (...keys: ReadonlyArray<string>) => Rules.keys("Backoff", rest, keys)
  switch (options.type) {
    case "exponential":
      allow("initial", "factor", "max", "jitter")
      return exponential(options)
    case "linear":
      allow("initial", "increment", "max", "jitter")
      return linear(options)
    case "fibonacci":
      allow("initial", "max", "jitter")
      return fibonacci(options)
    case "constant":
      allow("delay", "jitter")
      return constant({ delay: options.delay, jitter: options.jitter })
    default:
      return Rules.reject("Backoff", "type", type, "one of exponential, linear, fibonacci, constant")
  }
}

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
  const spec = self[TypeId]
  const next = spec.jitter === "decorrelated" ? start(spec) : growth(spec)
  return Array.from({ length: Rules.count("Backoff", "count", count, 0) }, () => Duration.millis(next(() => 1)))
})

/**
 * Backoff as it stands in a configuration: the name of its constructor and the
 * options of that constructor.
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

const fromSpec = (spec: Spec): Backoff =>
  Object.assign(
    Schedule.fromStep<unknown, Duration.Duration, never, never, never, never>(
      Effect.sync(() => {
        const next = start(spec)
        return () =>
          Effect.withFiberSucceed((fiber): [Duration.Duration, Duration.Duration] => {
            const random = fiber.getRef(Random.Random)
            const delay = Duration.millis(next(() => random.nextDoubleUnsafe()))
            return [delay, delay]
          })
      })
    ),
    { [TypeId]: spec }
  )

/**
 * Starts a backoff: returns the function that draws its next delay, in
 * milliseconds.
 */
const start = (spec: Spec): ((draw: () => number) => number) => {
  const { jitter } = spec
  if (jitter === "decorrelated") {
    // `exponential` alone takes it.
    const { factor, initial, max } = spec as Extract<Spec, { readonly type: "exponential" }>
    let previous = initial
    return (draw) => (previous = between(initial, Math.min(max, previous * factor), draw()))
  }
  const next = growth(spec)
  if (jitter === "none") return next
  // The share of the delay that the jitter takes away at most, and adds at most.
  const [less, more] = jitter === "full" ? [1, 0] : jitter === "equal" ? [0.5, 0] : [jitter.ratio, jitter.ratio]
  const max = spec.type === "constant" ? Number.MAX_VALUE : spec.max
  return (draw) => {
    const delay = next()
    return between(delay * (1 - less), Math.min(max, delay * (1 + more)), draw())
  }
}

/**
 * Returns the function that returns the next delay without jitter, in
 * milliseconds.
 */
const growth = (spec: Spec): (() => number) => {
  if (spec.type === "constant") return () => spec.delay
  let delay = spec.initial
  let before = 0
  return () => {
    const current = delay
    const grown =
      spec.type === "exponential" ? current * spec.factor : current + (spec.type === "linear" ? spec.increment : before)
    // What is kept is at most `max`, so no number of attempts makes it infinite or NaN.
    delay = Math.min(spec.max, grown)
    before = current
    return current
  }
}

// The sum may be rounded to more than `high`.
const between = (low: number, high: number, draw: number): number => Math.min(high, low + draw * (high - low))

const bounds = (initial: Duration.Input, max: Duration.Input, min?: "zero") => {
  const low = Rules.millis("Backoff", "initial", initial, min)
  const high = Rules.millis("Backoff", "max", max)
  if (high < low) Rules.reject("Backoff", "max", max, `at least initial (${low} ms)`)
  return { initial: low, max: high }
}

const checkJitter = (jitter: Jitter, rule = `"none", "full", "equal" or a ratio (${onlyExponential})`): Jitter => {
  if (jitter === "none" || jitter === "full" || jitter === "equal") return jitter
  if (jitter === null || jitter._tag !== "Ratio") {
    return Rules.reject("Backoff", "jitter", jitter, rule)
  }
  for (const [key, value] of Object.entries<unknown>({ ...jitter })) {
    if (key !== "_tag" && key !== "ratio") {
      Rules.reject("Backoff", `jitter.${key}`, value, "absent (the keys are _tag, ratio)")
    }
  }
  return { _tag: "Ratio", ratio: Rules.ratio("Backoff", "jitter.ratio", jitter.ratio) }
}

const onlyExponential = `"decorrelated" grows from the delay before it, so it is for exponential only`
