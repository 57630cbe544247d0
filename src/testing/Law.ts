/**
 * Laws: rules that an implementation has to keep, as data that any test
 * framework can run.
 *
 * **Example** (Running a law)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Law } from "effect-resilience/testing"
 *
 * const law: Law.Law = { name: "one and one are two", check: Law.same(1 + 1, 3, "the sum") }
 *
 * const error = await Effect.runPromise(Effect.scoped(Effect.flip(law.check)))
 * error.message // => "the sum: expected 3, found 2"
 * ```
 */
import * as Arbitrary from "effect/Arbitrary"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { isObject } from "effect/Predicate"
import type * as Scope from "effect/Scope"

/**
 * Error of an implementation that broke a law.
 */
export class LawError extends Data.TaggedError("LawError")<{
  /** The subject, the expected and the found value, and the history where there is one. */
  readonly message: string
  readonly expected: unknown
  readonly found: unknown
  /** The operations, as a table. Shrunk where the law draws them. */
  readonly history?: string | undefined
}> {}

/**
 * Rule with its check.
 */
export interface Law<E = never, R = never> {
  /** The rule, as the name of a test. */
  readonly name: string
  /** Opens a new implementation, and fails where it breaks the rule. */
  readonly check: Effect.Effect<void, LawError | E, R | Scope.Scope>
}

/**
 * Returns a value as text, with the keys of objects in order and without those
 * that are undefined: values that come back from a database are compared so.
 */
export const text = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) =>
    isObject(each) && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : each
  ) ?? "undefined"

/**
 * Creates the error of a broken law.
 */
export const broken = (what: string, found: unknown, expected: unknown, history?: string): LawError =>
  new LawError({
    message: `${what}: expected ${show(expected)}, found ${show(found)}${history === undefined ? "" : `\n\n${history}`}`,
    expected,
    found,
    history
  })

const show = (value: unknown): string => (typeof value === "string" ? value : text(value))

/**
 * Fails where a value is not the expected one, as `text` writes both.
 */
export const same = (found: unknown, expected: unknown, what: string): Effect.Effect<void, LawError> =>
  text(found) === text(expected) ? Effect.void : Effect.fail(broken(what, found, expected))

/**
 * Fails where a condition does not hold.
 */
export const holds = (condition: boolean, what: string, found: unknown): Effect.Effect<void, LawError> =>
  condition ? Effect.void : Effect.fail(broken(what, found, "it to hold"))

/**
 * Fails where the search for a counterexample found one, with the smallest.
 */
export const passed = <A>(result: Arbitrary.CheckResult<A, LawError>): Effect.Effect<void, LawError> => {
  if (result._tag === "Passed") return Effect.void
  if (result._tag === "Falsified" && result.failure._tag === "PropertyError") {
    const { expected, found, history, message } = result.failure.error
    const after = `after ${result.runs} runs and ${result.shrinks} shrinks, replay: ${result.replay}`
    return Effect.fail(new LawError({ message: `${message}\n\n${after}`, expected, found, history }))
  }
  return Effect.fail(broken("the search", Arbitrary.formatCheckFailure(result), "Passed"))
}
