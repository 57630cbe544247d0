/**
 * What one call says about a dependency: success, failure, or nothing.
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
import * as Rules from "./Options.ts"
import * as Refusal from "./Refusal.ts"

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
 * What one call says about a dependency.
 */
export type Outcome = Success | Failure | Ignored

/**
 * Function that reads the outcome off the exit of a call.
 */
export type Classify<A = unknown, E = unknown> = (exit: Exit.Exit<A, E>) => Outcome

/**
 * Choice of errors: a predicate, a tag, or several tags.
 */
export type ErrorMatch<E> = ((error: E) => boolean) | string | ReadonlyArray<string>

/**
 * Options that say which exits count as failures.
 *
 * **Details**
 *
 * `classify` decides alone and excludes the other two. Otherwise an error that
 * `ignore` matches is ignored, and where `failureIf` is given an error that it
 * does not match is ignored too: it is never a success. Defects stay failures.
 */
export interface Options<in A = unknown, in E = unknown> {
  /** Reads the outcome off the exit. */
  readonly classify?: Classify<A, E> | undefined
  /** Errors that count as failures. Default: all. */
  readonly failureIf?: ErrorMatch<E> | undefined
  /** Errors that count for nothing. Default: none. */
  readonly ignore?: ErrorMatch<E> | undefined
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
 * time, up to `maxOpenFor`.
 */
export const failure = (options?: { readonly retryAfter?: Duration.Input | undefined }): Outcome =>
  options?.retryAfter === undefined
    ? plainFailure
    : {
        _tag: "Failure",
        retryAfter: Duration.millis(Rules.millis("Outcome", "retryAfter", options.retryAfter, "zero"))
      }

/**
 * Returns the hint that an error carries in a property `retryAfter`, if that is
 * a finite `Duration` above zero.
 */
export const hint = (error: unknown): Duration.Duration | undefined =>
  hasProperty(error, "retryAfter") &&
  Duration.isDuration(error.retryAfter) &&
  Duration.isFinite(error.retryAfter) &&
  Duration.isPositive(error.retryAfter)
    ? error.retryAfter
    : undefined

/**
 * Creates a predicate from a choice of errors.
 */
export const matcher = <E>(match: ErrorMatch<E>): ((error: E) => boolean) => {
  if (typeof match === "function") return match
  const tags: ReadonlyArray<unknown> = typeof match === "string" ? [match] : match
  return (error) => hasProperty(error, "_tag") && tags.includes(error._tag)
}

const always = () => true

const classifyWith =
  <E>(isFailure: (error: E) => boolean): Classify<unknown, E> =>
  (exit) => {
    if (exit._tag === "Success") return success
    for (const reason of exit.cause.reasons) {
      if (Cause.isDieReason(reason)) return plainFailure
      if (Cause.isFailReason(reason) && !Refusal.isRefusal(reason.error) && isFailure(reason.error)) {
        return { _tag: "Failure", retryAfter: hint(reason.error) }
      }
    }
    // What is left is interruption and errors that do not count.
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
 * Throws an `InvalidOptionError` where `classify` is combined with `failureIf`
 * or `ignore`, and for an option that is none of what its type says.
 */
export const classifier = <A = unknown, E = unknown>(options: Options<A, E>): Classify<A, E> => {
  const { classify: custom, failureIf, ignore } = options
  if (custom !== undefined) {
    if (typeof custom !== "function") Rules.reject("Outcome", "classify", custom, "a function")
    if (failureIf !== undefined) Rules.reject("Outcome", "failureIf", failureIf, "absent where classify is given")
    if (ignore !== undefined) Rules.reject("Outcome", "ignore", ignore, "absent where classify is given")
    return custom
  }
  if (failureIf !== undefined) checkMatch("failureIf", failureIf)
  if (ignore !== undefined) checkMatch("ignore", ignore)
  if (failureIf === undefined && ignore === undefined) return classify
  const isFailure = failureIf === undefined ? always : matcher(failureIf)
  if (ignore === undefined) return classifyWith(isFailure)
  const isIgnored = matcher(ignore)
  return classifyWith((error) => !isIgnored(error) && isFailure(error))
}

const checkMatch = (field: string, match: unknown): void => {
  if (typeof match === "function" || isTag(match)) return
  if (Array.isArray(match) && match.length > 0 && match.every(isTag)) return
  Rules.reject("Outcome", field, match, "a predicate, a tag or a list of tags, none of them empty")
}

const isTag = (u: unknown): boolean => typeof u === "string" && u !== ""
