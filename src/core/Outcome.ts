/**
 * Outcomes of calls for a dependency: success, failure, or ignored.
 *
 * **Details**
 *
 * - A `Success` shows that the dependency works, a `Failure` counts against it,
 *   and `Ignored` counts for neither.
 * - By default a value is a success, a typed error or a defect is a failure,
 *   and pure interruption and refusals of this package are ignored.
 * - A failure may carry a hint how long the dependency wants to be left alone.
 *
 * **Example** (Classifying an exit)
 *
 * ```ts
 * import { Exit } from "effect"
 * import { Outcome } from "effect-resilience"
 *
 * const classify = Outcome.classifier({ ignore: (error) => error === "not found" })
 *
 * Outcome.classify(Exit.succeed(1))._tag // => "Success"
 * Outcome.classify(Exit.fail("timeout"))._tag // => "Failure"
 * classify(Exit.fail("not found"))._tag // => "Ignored"
 * ```
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import type * as Exit from "effect/Exit"
import { hasProperty } from "effect/Predicate"
import * as Rules from "./internal/Rules.ts"
import * as Tags from "./internal/Tags.ts"
import * as Refusal from "./Refusal.ts"

const module = "Outcome"

/**
 * Outcome of a call that shows the dependency works.
 */
export interface Success {
  readonly _tag: "Success"
}

/**
 * Outcome of a call that counts against the dependency.
 */
export interface Failure {
  readonly _tag: "Failure"
  /** How long the dependency asks to be left alone, if it said so. */
  readonly retryAfter: Duration.Duration | undefined
}

/**
 * Outcome of a call that says nothing about the dependency.
 */
export interface Ignored {
  readonly _tag: "Ignored"
}

/**
 * Outcome of one call.
 */
export type Outcome = Success | Failure | Ignored

/**
 * Function that reads the outcome off the exit of a call.
 */
export type Classify<A = unknown, E = unknown> = (exit: Exit.Exit<A, E>) => Outcome

/**
 * Tags of the errors in `E`, or any string where `E` is unknown.
 */
export type Tag<E> = unknown extends E ? string : E extends { readonly _tag: infer Tag extends string } ? Tag : never

/**
 * Choice of errors: a predicate, a tag, or several tags.
 */
export type ErrorMatch<E> = ((error: E) => boolean) | Tag<E> | ReadonlyArray<Tag<E>>

/**
 * Function that reads how long an error asks to wait.
 */
export type RetryAfter<in E = unknown> = (error: E) => Duration.Input | undefined

/**
 * Options that say which exits count as failures.
 *
 * **Details**
 *
 * `classify` decides alone and excludes the other three. Otherwise an error that
 * `ignore` matches is ignored, and where `failureIf` is given an error that it
 * does not match is ignored too: it is never a success. Defects stay failures.
 */
export interface Options<in A = unknown, E = unknown> {
  /** Reads the outcome off the exit. */
  readonly classify?: Classify<A, E> | undefined
  /** Errors that count as failures. Default: all. */
  readonly failureIf?: ErrorMatch<E> | undefined
  /** Errors that count for nothing. Default: none. */
  readonly ignore?: ErrorMatch<E> | undefined
  /**
   * Reads how long an error asks to leave the dependency alone, as `hint` does.
   * Default: its property `retryAfter`.
   */
  readonly retryAfter?: RetryAfter<E> | undefined
}

/**
 * Outcome that counts as a success.
 */
export const success: Outcome = { _tag: "Success" }

/**
 * Outcome that counts for nothing.
 */
export const ignored: Outcome = { _tag: "Ignored" }

const plainFailure: Failure = { _tag: "Failure", retryAfter: undefined }

/**
 * Creates an outcome that counts as a failure.
 *
 * **Details**
 *
 * `retryAfter` says how long the dependency wants to be left alone. It is used
 * only when this failure opens a circuit, where it can only lengthen the open
 * time, up to `maxOpenFor`. Anything but a finite duration above zero is ignored:
 * it may be text that the dependency sent.
 */
export const failure = (options?: { readonly retryAfter?: Duration.Input | undefined }): Outcome => {
  const retryAfter = finite(wait(options?.retryAfter))
  return retryAfter === undefined ? plainFailure : { _tag: "Failure", retryAfter }
}

/**
 * Returns how long an error asks to wait: what `retryAfter` (default: the
 * property of that name) reads off it, if that is a duration above zero.
 *
 * **Details**
 *
 * A duration is anything that Effect takes for one: a `Duration`, milliseconds,
 * `"2 seconds"`. Anything else is ignored, and so is a property that throws when
 * it is read. An infinite one asks not to come back: it ends a retry, and a
 * circuit ignores it. A refusal of this package computes its `retryAfter` when it
 * is read, so the hint is the time that was left when it was refused.
 *
 * **Example** (Reading a hint)
 *
 * ```ts
 * import { Duration } from "effect"
 * import { Outcome } from "effect-resilience"
 *
 * const seconds = (error: { readonly seconds: number }) => Duration.seconds(error.seconds)
 *
 * Outcome.hint({ retryAfter: "2 seconds" }) // => Duration.seconds(2)
 * Outcome.hint({ seconds: 3 }, seconds) // => Duration.seconds(3)
 * Outcome.hint({ retryAfter: "soon" }) // => undefined
 * ```
 */
export const hint = <E>(error: E, retryAfter?: RetryAfter<E>): Duration.Duration | undefined => {
  // What the caller's function throws is the caller's: a defect.
  return wait(retryAfter === undefined ? propertyOf(error) : retryAfter(error))
}

const wait = (given: unknown): Duration.Duration | undefined => {
  if (given === undefined) return undefined
  try {
    const duration = Duration.fromInputUnsafe(given as Duration.Input) // throws for anything else
    return Duration.toMillis(duration) > 0 ? duration : undefined
  } catch {
    return undefined
  }
}

// An infinite hint says never, and a circuit has to ask again some time.
const finite = (hint: Duration.Duration | undefined): Duration.Duration | undefined =>
  hint !== undefined && Number.isFinite(Duration.toMillis(hint)) ? hint : undefined

const propertyOf = (error: unknown): unknown => {
  try {
    return hasProperty(error, "retryAfter") ? error.retryAfter : undefined
  } catch {
    return undefined
  }
}

/**
 * Creates a predicate from a choice of errors.
 */
export const matcher: <E>(match: ErrorMatch<E>) => (error: E) => boolean = Tags.matcher

const always = () => true

const never = () => false

const classifyWith =
  <E>(isFailure: (error: E) => boolean, retryAfter?: RetryAfter<E>): Classify<unknown, E> =>
  (exit) => {
    if (exit._tag === "Success") return success
    for (const reason of exit.cause.reasons) {
      if (Cause.isDieReason(reason)) return plainFailure
      if (Cause.isFailReason(reason) && !Refusal.isRefusal(reason.error) && isFailure(reason.error)) {
        return { _tag: "Failure", retryAfter: finite(hint(reason.error, retryAfter)) }
      }
    }
    // Only interruption and errors that do not count are left.
    return exit.cause.reasons.length > 0 ? ignored : plainFailure
  }

/**
 * Reads the outcome off an exit by the default rules.
 */
export const classify: Classify = classifyWith(always)

/**
 * Creates the classification that the options describe.
 *
 * **Details**
 *
 * Throws an `InvalidOptionError` where `classify` is combined with another
 * option, and for an option of the wrong type.
 */
export const classifier = <A = unknown, E = unknown>(options: Options<A, E>): Classify<A, E> => {
  const { classify: custom, failureIf, ignore, retryAfter } = options
  const others = Object.entries({ failureIf, ignore, retryAfter }).filter(([, option]) => option !== undefined)
  if (custom !== undefined) {
    Rules.fn(module, "classify", custom)
    for (const [field, option] of others) Rules.reject(module, field, option, "absent where classify is given")
    return custom
  }
  if (others.length === 0) return classify
  const isFailure = failureIf === undefined ? always : Tags.matcher(Tags.check(module, "failureIf", failureIf))
  const isIgnored = ignore === undefined ? never : Tags.matcher(Tags.check(module, "ignore", ignore))
  if (retryAfter !== undefined) Rules.fn(module, "retryAfter", retryAfter)
  return classifyWith((error) => !isIgnored(error) && isFailure(error), retryAfter)
}
