/**
 * Options of a retry: types, defaults, checks and JSON.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import { hasProperty } from "effect/Predicate"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import * as ConfigSchema from "../../core/internal/ConfigSchema.ts"
import * as Rules from "../../core/internal/Rules.ts"
import * as ErrorTags from "../../core/internal/Tags.ts"
import type * as Outcome from "../../core/Outcome.ts"
import * as Backoff from "../Backoff.ts"
import type { UnacceptedValue } from "./RetryError.ts"

const module = "Retry"

/**
 * Tags of the errors in `E`, or any string where `E` is unknown.
 */
export type Tag<E> = Outcome.Tag<E>

/**
 * Tags that need not be those of the error, made by `tags`.
 */
export interface Tags {
  readonly _tag: "Tags"
  readonly tags: ReadonlyArray<string>
}

/**
 * Failed attempt that is followed by another.
 */
export interface FailedAttempt<out E> {
  /** Number of the attempt that failed, from 1. */
  readonly attempt: number
  /** Error of the attempt, or its value with `retryUntil`. */
  readonly error: E
  /** Time until the next attempt. */
  readonly delay: Duration.Duration
}

/**
 * Options of a retry.
 *
 * **Details**
 *
 * `E` is the type of the errors that the functions can take, `SE` and `SR` are
 * the errors and services of `backoff`, and `OR` the services of `onRetry`.
 */
export interface Options<E = unknown, SE = never, SR = never, OR = never> extends Shared<E, E, SE, SR, OR> {}

/**
 * Options of a retry that also looks at the value.
 */
export interface UntilOptions<
  A = unknown,
  B extends A = A,
  E = unknown,
  SE = never,
  SR = never,
  OR = never
> extends Shared<E, E | UnacceptedValue<A>, SE, SR, OR> {
  /** Whether a value is accepted. A refused value is followed by another attempt. */
  readonly until: ((value: A) => value is B) | ((value: A) => boolean)
}

interface Shared<E, Reason, SE, SR, OR> {
  /**
   * Number of attempts, the first included. `Infinity` is accepted together with
   * `maxElapsed`. Default: 3.
   */
  readonly maxAttempts?: number | undefined
  /**
   * Schedule that gives the delays. Its input is the error. Where it stops, or
   * its delay is infinite, there are no more attempts. Default:
   * `Backoff.exponential()`.
   */
  readonly backoff?: Schedule.Schedule<unknown, NoInfer<Reason>, SE, SR> | undefined
  /** Time after the start of the first attempt after which no attempt begins. Default: none. */
  readonly maxElapsed?: Duration.Input | undefined
  /** Which errors are retried: a predicate, a tag or a list of tags. Default: all. */
  readonly while?: ((error: E) => boolean) | Tag<E> | ReadonlyArray<Tag<E>> | Tags | undefined
  /** Whether refusals of this package's policies are retried like other errors. Default: false. */
  readonly retryRefusals?: boolean | undefined
  /** Longest `retryAfter` to wait for. An error with a longer one is not retried. Default: 1 minute. */
  readonly maxRetryAfter?: Duration.Input | undefined
  /**
   * Reads how long the error asks to wait, as `Outcome.hint` does. A number is
   * milliseconds. Anything but a duration above zero is ignored. Default: its
   * property `retryAfter`.
   */
  readonly retryAfter?: Outcome.RetryAfter<Reason> | undefined
  /** Effect that is run before the sleep. Default: none. */
  readonly onRetry?: ((failed: FailedAttempt<Reason>) => Effect.Effect<unknown, never, OR>) | undefined
}

type AnyOptions = Shared<unknown, unknown, unknown, unknown, unknown>

/**
 * Defaults of the options.
 */
export const defaults = {
  maxAttempts: 3,
  backoff: /* @__PURE__ */ Backoff.exponential(),
  retryRefusals: false,
  maxRetryAfter: "1 minute"
} as const

/**
 * Creates a list of tags for `while` in options that are shared by effects with
 * different errors.
 *
 * **Details**
 *
 * A tag that is written into `while` itself has to be one of the error.
 */
export const tags = (...tags: ReadonlyArray<string>): Tags => ({
  _tag: "Tags",
  tags: ErrorTags.checkList(module, "while", tags)
})

/**
 * Options of a retry, all there and checked. Durations are in milliseconds.
 */
export interface Resolved {
  readonly maxAttempts: number
  readonly backoff: Schedule.Schedule<unknown, unknown, unknown, unknown>
  /** `Infinity` without a limit. */
  readonly maxElapsed: number
  /** Predicate of the errors that are retried. Absent: all are. */
  readonly while: ((error: unknown) => boolean) | undefined
  readonly retryRefusals: boolean
  readonly maxRetryAfter: number
  readonly retryAfter: Outcome.RetryAfter | undefined
  readonly onRetry: ((failed: FailedAttempt<unknown>) => Effect.Effect<unknown, unknown, unknown>) | undefined
}

/**
 * Checks options and fills in the defaults. Throws an `InvalidOptionError`.
 */
export const resolve = <E, SE, SR, OR>(given?: Options<E, SE, SR, OR>): Resolved => {
  // Each field is checked below; the callers' types tie the functions to the effect they are used with.
  const options = (given ?? {}) as AnyOptions
  const {
    backoff = defaults.backoff,
    maxAttempts = defaults.maxAttempts,
    maxRetryAfter = defaults.maxRetryAfter,
    retryRefusals = defaults.retryRefusals
  } = options
  const maxElapsed =
    options.maxElapsed === undefined ? Number.POSITIVE_INFINITY : Rules.millis(module, "maxElapsed", options.maxElapsed)
  if (maxAttempts !== Number.POSITIVE_INFINITY) {
    Rules.count(module, "maxAttempts", maxAttempts)
  } else if (maxElapsed === Number.POSITIVE_INFINITY) {
    Rules.reject(module, "maxAttempts", maxAttempts, "an integer >= 1, or Infinity together with maxElapsed")
  }
  if (!Schedule.isSchedule(backoff)) Rules.reject(module, "backoff", backoff, "a Schedule")
  Rules.boolean(module, "retryRefusals", retryRefusals)
  const matches = checkWhile(options.while)
  return {
    maxAttempts,
    backoff,
    maxElapsed,
    while: matches && ErrorTags.matcher(matches),
    retryRefusals,
    maxRetryAfter: Rules.millis(module, "maxRetryAfter", maxRetryAfter),
    retryAfter: options.retryAfter === undefined ? undefined : Rules.fn(module, "retryAfter", options.retryAfter),
    onRetry: options.onRetry === undefined ? undefined : Rules.fn(module, "onRetry", options.onRetry)
  }
}

const checkWhile = (given: AnyOptions["while"]): ErrorTags.Checked<unknown> | undefined =>
  given === undefined
    ? undefined
    : typeof given !== "function" && hasProperty(given, "tags")
      ? ErrorTags.checkList(module, "while", given.tags)
      : ErrorTags.check(module, "while", given)

/**
 * Options of a retry as JSON.
 */
export interface Description {
  readonly maxAttempts: number | "Infinity"
  readonly backoff: Backoff.Resolved | "a schedule"
  readonly maxElapsed?: number
  readonly while?: ReadonlyArray<string> | "a function"
  readonly retryRefusals: boolean
  readonly maxRetryAfter: number
  readonly retryAfter?: "a function"
  readonly onRetry?: "a function"
}

/**
 * Returns options as JSON, with their defaults filled in. `Config` reads it back
 * where no option is a function or a schedule of one's own.
 */
export const describe = <E, SE, SR, OR>(options?: Options<E, SE, SR, OR>): Description => {
  const { backoff, maxAttempts, maxElapsed, maxRetryAfter, onRetry, retryAfter, retryRefusals } = resolve(options)
  // `resolve` has checked it.
  const matches = checkWhile(options?.while as AnyOptions["while"])
  return {
    maxAttempts: Number.isFinite(maxAttempts) ? maxAttempts : "Infinity",
    backoff: Backoff.isBackoff(backoff) ? backoff[Backoff.TypeId] : "a schedule",
    ...(Number.isFinite(maxElapsed) ? { maxElapsed } : undefined),
    ...(matches === undefined ? undefined : { while: ErrorTags.describe(matches) }),
    retryRefusals,
    maxRetryAfter,
    ...(retryAfter === undefined ? undefined : { retryAfter: "a function" }),
    ...(onRetry === undefined ? undefined : { onRetry: "a function" })
  }
}

/**
 * Decoded options of a retry: those that JSON can hold.
 */
export interface ConfigOptions {
  readonly maxAttempts?: number
  readonly backoff?: Backoff.Backoff
  readonly maxElapsed?: Duration.Duration
  readonly while?: Tags
  readonly retryRefusals?: boolean
  readonly maxRetryAfter?: Duration.Duration
}

/**
 * Options of a retry in JSON.
 */
export interface ConfigJson {
  readonly maxAttempts?: number | "Infinity"
  readonly backoff?: Backoff.ConfigJson
  readonly maxElapsed?: ConfigSchema.DurationJson
  readonly while?: string | ReadonlyArray<string>
  readonly retryRefusals?: boolean
  readonly maxRetryAfter?: ConfigSchema.DurationJson
}

/**
 * Schema of the options of a retry in JSON, or in the environment through
 * `Config.schema` of Effect.
 *
 * **Details**
 *
 * Durations are strings such as `"100 millis"`, or milliseconds. `while` is a
 * tag or a list of tags. `maxAttempts` may be `"Infinity"`. The decoded options
 * are those of `retry`.
 */
export const Config: Schema.Codec<ConfigOptions, ConfigJson> = /* @__PURE__ */ (() =>
  ConfigSchema.checked(
    ConfigSchema.struct({
      maxAttempts: Schema.optionalKey(
        Schema.Union([
          Schema.Finite,
          Schema.Literal("Infinity").pipe(
            Schema.decodeTo(
              Schema.Number,
              SchemaTransformation.transform({
                decode: () => Number.POSITIVE_INFINITY,
                encode: () => "Infinity" as const
              })
            )
          )
        ])
      ),
      backoff: Schema.optionalKey(Backoff.Config),
      maxElapsed: Schema.optionalKey(ConfigSchema.DurationInput),
      while: Schema.optionalKey(
        Schema.Union([Schema.String, Schema.Array(Schema.String)]).pipe(
          Schema.decodeTo(
            Schema.Struct({ _tag: Schema.Literal("Tags"), tags: Schema.Array(Schema.String) }),
            SchemaTransformation.transform({
              decode: (tags) => ({ _tag: "Tags" as const, tags: typeof tags === "string" ? [tags] : tags }),
              encode: ({ tags }) => tags
            })
          )
        )
      ),
      retryRefusals: Schema.optionalKey(Schema.Boolean),
      maxRetryAfter: Schema.optionalKey(ConfigSchema.DurationInput)
    }),
    resolve
  ))()
