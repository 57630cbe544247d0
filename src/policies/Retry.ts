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
import type * as Effect from "effect/Effect"
import * as Combinator from "../core/internal/Combinator.ts"
import type { AnyEffect } from "../core/internal/Combinator.ts"
import * as Rules from "../core/internal/Rules.ts"
import { attempts, type Kind } from "./internal/RetryAttempts.ts"
import type { RetryExhaustedError, UnacceptedValue } from "./internal/RetryError.ts"
import { resolve } from "./internal/RetryOptions.ts"
import type { Options, UntilOptions } from "./internal/RetryOptions.ts"

export { RetryExhaustedError, UnacceptedValue } from "./internal/RetryError.ts"
export {
  Config,
  type ConfigJson,
  type ConfigOptions,
  defaults,
  describe,
  type Description,
  type FailedAttempt,
  type Options,
  resolve,
  type Resolved,
  type Tag,
  type Tags,
  tags,
  type UntilOptions
} from "./internal/RetryOptions.ts"

const module = "Retry"

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
 * Creates the data-first and data-last forms of a combinator. `dual` would check
 * the options of the latter at each effect, and only then.
 */
function combinator(kind: Kind): never {
  return Combinator.make((options?: Options & Partial<UntilOptions>) => {
    const resolved = resolve(options)
    const until = kind === "retryUntil" ? Rules.fn(module, "until", options?.until) : undefined
    const plan = { ...resolved, kind, until }
    return (self: AnyEffect) => attempts(self, plan)
  })
}
