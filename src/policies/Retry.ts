/**
 * Retry: runs an effect again after a typed failure.
 *
 * **Details**
 *
 * - `maxAttempts` counts the first attempt. There is no sleep after the last.
 * - `retry` fails with the last error, with its cause unchanged.
 *   `retryOrExhausted` fails with a `RetryExhaustedError` where attempts, time
 *   or the schedule ran out, and with the error itself where it was not
 *   retried.
 * - `retryUntil` also runs an effect again when its value is not accepted.
 * - Only typed failures are retried. A cause with a defect or an interruption
 *   passes unchanged, also when it holds a typed error too.
 * - Refusals of this package's own policies are not retried, and `while` does
 *   not see them, unless `retryRefusals` is true.
 * - The delay is that of `backoff`, or the `retryAfter` of the error where that
 *   is longer. An error whose `retryAfter` is infinite or longer than
 *   `maxRetryAfter` is not retried.
 * - A delay of zero is no sleep: an effect without one can be run with
 *   `Effect.runSync`.
 *
 * **Gotchas**
 *
 * - A timeout inside a retry is for each attempt, and one outside is for all of
 *   them.
 * - `maxElapsed` interrupts nothing: no attempt begins after it, and one that
 *   has begun may take as long as it does.
 * - `maxAttempts` is 3 also where `backoff` is a schedule with a limit of its
 *   own.
 * - Options that name tags and are shared by effects with different errors are
 *   declared as `Retry.Options`, or use `Retry.tags`.
 *
 * **Example** (Retrying one kind of error)
 *
 * ```ts
 * import { Data, Effect } from "effect"
 * import { Backoff, Retry } from "effect-resilience"
 *
 * class Unavailable extends Data.TaggedError("Unavailable")<{}> {}
 * class NotFound extends Data.TaggedError("NotFound")<{}> {}
 *
 * let calls = 0
 * const request = Effect.suspend((): Effect.Effect<string, Unavailable | NotFound> => {
 *   calls += 1
 *   return calls < 3 ? Effect.fail(new Unavailable()) : Effect.succeed(`answer ${calls}`)
 * })
 *
 * const program = request.pipe(
 *   Retry.retry({ maxAttempts: 3, while: "Unavailable", backoff: Backoff.exponential({ initial: "1 millis" }) })
 * )
 *
 * await Effect.runPromise(program) // => "answer 3"
 * ```
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { hasProperty } from "effect/Predicate"
import * as Pull from "effect/Pull"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import * as Combinator from "../core/internal/Combinator.ts"
import type { AnyEffect } from "../core/internal/Combinator.ts"
import * as ConfigSchema from "../core/internal/ConfigSchema.ts"
import * as Rules from "../core/internal/Rules.ts"
import * as ErrorTags from "../core/internal/Tags.ts"
import * as Outcome from "../core/Outcome.ts"
import * as Refusal from "../core/Refusal.ts"
import * as Backoff from "./Backoff.ts"
import * as PolicyObserver from "./internal/PolicyObserver.ts"

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
 * Attempt that failed and is to be followed by another.
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
  /** Whether a value is accepted. One that is not is followed by another attempt. */
  readonly until: ((value: A) => value is B) | ((value: A) => boolean)
}

interface Shared<E, Reason, SE, SR, OR> {
  /**
   * Number of attempts, the first included. Default 3.
   *
   * `Infinity` is accepted together with `maxElapsed`.
   */
  readonly maxAttempts?: number | undefined
  /**
   * Schedule that gives the delays. Default `Backoff.exponential()`.
   *
   * Its input is the error. Where it stops, or its delay is infinite, there are no more attempts.
   */
  readonly backoff?: Schedule.Schedule<unknown, NoInfer<Reason>, SE, SR> | undefined
  /** Time after the start of the first attempt after which no attempt begins. Default: none. */
  readonly maxElapsed?: Duration.Input | undefined
  /** Which errors are retried: a predicate, a tag or a list of tags. Default: all. */
  readonly while?: ((error: E) => boolean) | Tag<E> | ReadonlyArray<Tag<E>> | Tags | undefined
  /** Whether refusals of this package's policies are retried like other errors. Default false. */
  readonly retryRefusals?: boolean | undefined
  /** Longest `retryAfter` to wait for. An error with a longer one, or an infinite one, is not retried. Default 1 minute. */
  readonly maxRetryAfter?: Duration.Input | undefined
  /**
   * Reads how long the error asks to wait, as `Outcome.hint` does. Default: its property `retryAfter`.
   *
   * A number is milliseconds. Anything that is no duration above zero is ignored.
   */
  readonly retryAfter?: Outcome.RetryAfter<Reason> | undefined
  /** Effect that is run before the sleep. */
  readonly onRetry?: ((failed: FailedAttempt<Reason>) => Effect.Effect<unknown, never, OR>) | undefined
}

/**
 * Value that `until` did not accept, where an error is expected.
 */
export class UnacceptedValue<out A> extends Data.TaggedClass("UnacceptedValue")<{
  readonly value: A
}> {}

/**
 * Error of an effect that was given up while it could still have been retried.
 */
export class RetryExhaustedError<out E> extends Data.TaggedError("RetryExhaustedError")<{
  /** Number of attempts that were made. */
  readonly attempts: number
  /** Time from the start of the first attempt to the end of the last. */
  readonly elapsed: Duration.Duration
  /** Error of the last attempt. */
  readonly lastError: E
  /** What ran out. `"retryAfter"` is for an unaccepted value that asks for more than `maxRetryAfter`. */
  readonly why: "attempts" | "elapsed" | "schedule" | "retryAfter"
}> {
  override get message(): string {
    const attempts = `${this.attempts} attempt${this.attempts === 1 ? "" : "s"}`
    return `gave up after ${attempts} in ${Duration.format(this.elapsed)} (${this.why}): ${show(this.lastError)}`
  }

  override get cause(): unknown {
    return this.lastError
  }
}

/**
 * Values that options have where they are not given.
 */
export const defaults = {
  maxAttempts: 3,
  backoff: /* @__PURE__ */ Backoff.exponential(),
  retryRefusals: false,
  maxRetryAfter: /* @__PURE__ */ Duration.minutes(1)
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
 * Retries typed failures of an effect, and fails with the last one where it
 * gives up.
 *
 * **Details**
 *
 * The cause of the last failure is unchanged. The errors and services of
 * `backoff` and the services of `onRetry` are added to those of the effect. An
 * option that breaks a rule throws an `InvalidOptionError`, also where the
 * effect is not given yet.
 *
 * **Example** (One retry for many effects)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Backoff, Retry } from "effect-resilience"
 *
 * const patiently = Retry.retry({ maxAttempts: 2, backoff: Backoff.constant("1 millis") })
 *
 * let calls = 0
 * const failing = Effect.suspend(() => Effect.fail(`failure ${++calls}`))
 *
 * await Effect.runPromise(Effect.flip(patiently(failing))) // => "failure 2"
 * await Effect.runPromise(patiently(Effect.succeed("value"))) // => "value"
 * ```
 */
export const retry: {
  <E, SE = never, SR = never, OR = never>(
    options?: Options<E, SE, SR, OR>
  ): <A, E1, R>(
    self: Effect.Effect<A, E1, R> & Effect.Effect<unknown, E, unknown>
  ) => Effect.Effect<A, E1 | SE, R | SR | OR>
  <A, E1, R, E, SE = never, SR = never, OR = never>(
    self: Effect.Effect<A, E1, R> & Effect.Effect<unknown, E, R>,
    options?: Options<E, SE, SR, OR>
  ): Effect.Effect<A, E1 | SE, R | SR | OR>
} = /* @__PURE__ */ combinator("retry")

/**
 * Retries typed failures of an effect, and fails with a `RetryExhaustedError`
 * where attempts, time or the schedule ran out.
 *
 * **Details**
 *
 * Fails with the error itself where it was not to be retried: `while` refused
 * it, it is a refusal, or its `retryAfter` is longer than `maxRetryAfter`.
 *
 * **Example** (Telling exhaustion from an error that is not retried)
 *
 * ```ts
 * import { Data, Effect } from "effect"
 * import { Backoff, Retry } from "effect-resilience"
 *
 * class Unavailable extends Data.TaggedError("Unavailable")<{}> {}
 * class NotFound extends Data.TaggedError("NotFound")<{}> {}
 *
 * const get = (error: Unavailable | NotFound) =>
 *   Effect.fail(error).pipe(
 *     Retry.retryOrExhausted({ while: "Unavailable", backoff: Backoff.constant("1 millis") }),
 *     Effect.catchTag("RetryExhaustedError", (error) => Effect.succeed(`${error.lastError._tag} ${error.attempts} times`)),
 *     Effect.catchTag("NotFound", () => Effect.succeed("not found"))
 *   )
 *
 * await Effect.runPromise(get(new Unavailable())) // => "Unavailable 3 times"
 * await Effect.runPromise(get(new NotFound())) // => "not found"
 * ```
 */
export const retryOrExhausted: {
  <E, SE = never, SR = never, OR = never>(
    options?: Options<E, SE, SR, OR>
  ): <A, E1, R>(
    self: Effect.Effect<A, E1, R> & Effect.Effect<unknown, E, unknown>
  ) => Effect.Effect<A, E1 | SE | RetryExhaustedError<E1>, R | SR | OR>
  <A, E1, R, E, SE = never, SR = never, OR = never>(
    self: Effect.Effect<A, E1, R> & Effect.Effect<unknown, E, R>,
    options?: Options<E, SE, SR, OR>
  ): Effect.Effect<A, E1 | SE | RetryExhaustedError<E1>, R | SR | OR>
} = /* @__PURE__ */ combinator("retryOrExhausted")

/**
 * Runs an effect again until its value is accepted, and fails with a
 * `RetryExhaustedError` where attempts, time or the schedule ran out.
 *
 * **Details**
 *
 * Typed failures are retried as in `retryOrExhausted`. `lastError` is the
 * error of the last attempt, or an `UnacceptedValue` with its value. `backoff`,
 * `retryAfter` and `onRetry` get the same; `while` gets errors only. A
 * refinement as `until` narrows the value.
 *
 * **Example** (Waiting for a job)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Backoff, Retry } from "effect-resilience"
 *
 * let progress = 0
 * const job = Effect.sync(() => ({ progress: (progress += 40) }))
 * const every = Backoff.constant("1 millis")
 *
 * const done = job.pipe(Retry.retryUntil({ until: (job) => job.progress >= 100, maxAttempts: 5, backoff: every }))
 * const never = job.pipe(
 *   Retry.retryUntil({ until: (job) => job.progress < 0, maxAttempts: 2, backoff: every }),
 *   Effect.catchTag("RetryExhaustedError", (error) => Effect.succeed(error.lastError.value))
 * )
 *
 * await Effect.runPromise(done) // => { progress: 120 }
 * await Effect.runPromise(never) // => { progress: 200 }
 * ```
 */
export const retryUntil: {
  <A, E, B extends A = A, SE = never, SR = never, OR = never>(
    options: UntilOptions<A, B, E, SE, SR, OR>
  ): <A1, E1, R>(
    self: Effect.Effect<A1, E1, R> & Effect.Effect<A, E, unknown>
  ) => Effect.Effect<Accepted<A1, B>, E1 | SE | RetryExhaustedError<E1 | UnacceptedValue<A1>>, R | SR | OR>
  <A1, E1, R, A, E, B extends A = A, SE = never, SR = never, OR = never>(
    self: Effect.Effect<A1, E1, R> & Effect.Effect<A, E, R>,
    options: UntilOptions<A, B, E, SE, SR, OR>
  ): Effect.Effect<Accepted<A1, B>, E1 | SE | RetryExhaustedError<E1 | UnacceptedValue<A1>>, R | SR | OR>
} = /* @__PURE__ */ combinator("retryUntil")

/**
 * Values of type `A` that a refinement to `B` accepts.
 */
export type Accepted<A, B> = [A] extends [B] ? A : B

/**
 * Options as plain data, with their defaults filled in. Durations are
 * milliseconds.
 */
export interface Description {
  readonly maxAttempts: number | "Infinity"
  readonly backoff: Backoff.Spec | "a schedule"
  readonly maxElapsed: number | "none"
  readonly while: "every error" | "a predicate" | ReadonlyArray<string>
  readonly retryRefusals: boolean
  readonly maxRetryAfter: number
  readonly retryAfter: "error.retryAfter" | "a function"
  readonly onRetry: "none" | "an effect"
}

/**
 * Returns every parameter of a retry as plain data, with its default where it
 * is not given.
 */
export const describe = <E, Reason, SE, SR, OR>(options?: Shared<E, Reason, SE, SR, OR>): Description => {
  const { backoff, maxAttempts, maxElapsed, maxRetryAfter, retryRefusals, tags } = resolve(options)
  return {
    maxAttempts: Number.isFinite(maxAttempts) ? maxAttempts : "Infinity",
    backoff: Backoff.isBackoff(backoff) ? backoff[Backoff.TypeId] : "a schedule",
    maxElapsed: Number.isFinite(maxElapsed) ? maxElapsed : "none",
    while: tags ?? (options?.while === undefined ? "every error" : "a predicate"),
    retryRefusals,
    maxRetryAfter,
    retryAfter: options?.retryAfter === undefined ? "error.retryAfter" : "a function",
    onRetry: options?.onRetry === undefined ? "none" : "an effect"
  }
}

/**
 * Options that JSON can hold.
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
 * Options of a retry as they stand in a configuration.
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
    (options) => resolve(options)
  ))()

type AnyOptions = Shared<unknown, unknown, unknown, unknown, unknown> & {
  readonly until?: ((value: unknown) => boolean) | undefined
}

/**
 * Options checked and with their defaults filled in. Times are milliseconds.
 */
interface Plan {
  readonly maxAttempts: number
  readonly backoff: Schedule.Schedule<unknown, unknown, unknown, unknown>
  readonly maxElapsed: number
  readonly tags: ReadonlyArray<string> | undefined
  readonly while: ((error: unknown) => boolean) | undefined
  readonly retryRefusals: boolean
  readonly maxRetryAfter: number
  readonly retryAfter: Outcome.RetryAfter | undefined
  readonly onRetry: ((failed: FailedAttempt<unknown>) => AnyEffect) | undefined
  readonly until: ((value: unknown) => boolean) | undefined
}

function resolve(given: unknown, kind: Kind = "retry"): Plan {
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
  const matches = options.while === undefined ? undefined : checkWhile(options.while)
  return {
    maxAttempts,
    backoff,
    maxElapsed,
    tags: typeof matches === "function" ? undefined : matches,
    while: matches && ErrorTags.matcher(matches),
    retryRefusals,
    maxRetryAfter: Rules.millis(module, "maxRetryAfter", maxRetryAfter),
    retryAfter: options.retryAfter === undefined ? undefined : functionOf("retryAfter", options.retryAfter),
    onRetry: options.onRetry === undefined ? undefined : functionOf("onRetry", options.onRetry),
    until: kind === "retryUntil" ? functionOf("until", options.until) : undefined
  }
}

const checkWhile = (given: NonNullable<AnyOptions["while"]>): ErrorTags.Checked<unknown> =>
  typeof given !== "function" && hasProperty(given, "tags")
    ? ErrorTags.checkList(module, "while", given.tags)
    : ErrorTags.check(module, "while", given)

const functionOf = <F>(field: string, f: F): F =>
  typeof f === "function" ? f : Rules.reject(module, field, f, "a function")

type Kind = "retry" | "retryOrExhausted" | "retryUntil"

/**
 * Creates the data-first and data-last forms of a combinator. `dual` would check
 * the options of the latter at each effect, and only then.
 */
function combinator(kind: Kind): never {
  return Combinator.make((options?: unknown) => {
    const plan = resolve(options, kind)
    return (self: AnyEffect) => attempts(self, plan, kind)
  })
}

const attempts = (self: AnyEffect, plan: Plan, kind: Kind): AnyEffect =>
  // A first attempt that succeeds must cost one frame: nothing else is made before something fails.
  kind === "retry" && plan.maxElapsed === Number.POSITIVE_INFINITY
    ? Effect.catchCause(self, (cause) => run(self, plan, kind, notTimed).failed(cause))
    : Effect.withFiber((fiber) => {
        const start = nanos(fiber)
        return settle(self, plan.until, {
          failed: (cause) => run(self, plan, kind, start).failed(cause),
          succeeded: (value) => run(self, plan, kind, start).succeeded(value)
        })
      })

// The start of a retry that looks at no time.
const notTimed = 0n

const nanos = (fiber: Fiber.Fiber<unknown, unknown>): bigint => fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe()

interface Run {
  readonly failed: (cause: Cause.Cause<unknown>) => AnyEffect
  readonly succeeded: (value: unknown) => AnyEffect
}

const settle = (self: AnyEffect, until: Plan["until"], { failed, succeeded }: Run): AnyEffect =>
  until === undefined
    ? Effect.catchCause(self, failed)
    : Effect.matchCauseEffect(self, {
        onFailure: failed,
        onSuccess: (value) => (until(value) ? Effect.succeed(value) : succeeded(value))
      })

/**
 * Starts the part of a retry that follows the first attempt that failed.
 */
const run = (self: AnyEffect, plan: Plan, kind: Kind, start: bigint): Run => {
  type Why = RetryExhaustedError<unknown>["why"]
  type Step = Effect.Success<ReturnType<typeof Schedule.toStep<unknown, unknown, unknown, unknown>>>
  let attempt = 1
  let step: Step | undefined

  const elapsed = (fiber: Fiber.Fiber<unknown, unknown>) => Number(nanos(fiber) - start) / 1_000_000

  const giveUp = (why: Why, error: unknown, cause: Cause.Cause<unknown> | undefined): AnyEffect => {
    PolicyObserver.current()?.exhausted(attempt, why)
    return cause !== undefined && kind === "retry"
      ? Effect.failCause(cause)
      : Effect.withFiber((fiber) =>
          Effect.fail(
            new RetryExhaustedError({
              attempts: attempt,
              elapsed: Duration.millis(elapsed(fiber)),
              lastError: error,
              why
            })
          )
        )
  }

  const failed = (cause: Cause.Cause<unknown>): AnyEffect => {
    PolicyObserver.current()?.attemptFailed()
    const fail = onlyFailure(cause)
    return fail !== undefined &&
      (plan.retryRefusals || !Refusal.isRefusal(fail.error)) &&
      (plan.while === undefined || plan.while(fail.error))
      ? again(fail.error, cause)
      : Effect.failCause(cause)
  }

  const succeeded = (value: unknown): AnyEffect => {
    PolicyObserver.current()?.attemptFailed()
    return again(new UnacceptedValue({ value }), undefined)
  }

  const next = settle(self, plan.until, { failed, succeeded })

  const again = (error: unknown, cause: Cause.Cause<unknown> | undefined): AnyEffect => {
    if (attempt >= plan.maxAttempts) return giveUp("attempts", error, cause)
    const asked = Outcome.hint(error, plan.retryAfter)
    const hint = asked === undefined ? 0 : Duration.toMillis(asked)
    if (hint > plan.maxRetryAfter) {
      return cause === undefined ? giveUp("retryAfter", error, cause) : Effect.failCause(cause)
    }

    const unlessLate = (delay: number, then: () => AnyEffect): AnyEffect =>
      plan.maxElapsed === Number.POSITIVE_INFINITY
        ? then()
        : Effect.withFiber((fiber) =>
            elapsed(fiber) + delay > plan.maxElapsed ? giveUp("elapsed", error, cause) : then()
          )

    const wait = (backoff: Duration.Duration): AnyEffect => {
      const millis = Math.max(Duration.toMillis(backoff), hint, 0)
      if (millis === Number.POSITIVE_INFINITY) return giveUp("schedule", error, cause)
      const delay = Duration.millis(millis)
      const begin = Effect.suspend(() => {
        attempt += 1
        PolicyObserver.current()?.retried(attempt, millis)
        return next
      })
      // The time is looked at again after each thing that takes time: the effect of the caller, and a late timer.
      const sleep = () => (millis > 0 ? Effect.flatMap(Effect.sleep(delay), () => unlessLate(0, () => begin)) : begin)
      return unlessLate(millis, () =>
        plan.onRetry === undefined
          ? sleep()
          : Effect.flatMap(plan.onRetry({ attempt, error, delay }), () => unlessLate(millis, sleep))
      )
    }

    const advance = (step: Step): AnyEffect =>
      Effect.withFiber((fiber) =>
        Pull.matchEffect(step(fiber.getRef(Clock.Clock).currentTimeMillisUnsafe(), error), {
          onSuccess: ([, backoff]) => wait(backoff),
          onFailure: Effect.failCause,
          onDone: () => giveUp("schedule", error, cause)
        })
      )

    return step === undefined
      ? Effect.flatMap(Schedule.toStep(plan.backoff), (made) => advance((step = made)))
      : advance(step)
  }

  return { failed, succeeded }
}

/**
 * Returns the first typed failure of a cause that holds nothing else.
 */
const onlyFailure = (cause: Cause.Cause<unknown>): Cause.Fail<unknown> | undefined => {
  let first: Cause.Fail<unknown> | undefined
  for (const reason of cause.reasons) {
    if (!Cause.isFailReason(reason)) return undefined
    first ??= reason
  }
  return first
}

const show = (error: unknown): string => {
  if (error instanceof UnacceptedValue) return "the value was not accepted"
  const tag = hasProperty(error, "_tag") ? String(error._tag) : ""
  const message = hasProperty(error, "message") ? String(error.message) : ""
  if (tag !== "" || message !== "") return tag === "" || message === "" ? tag + message : `${tag}: ${message}`
  return typeof error === "object" && error !== null ? "an object" : String(error)
}
