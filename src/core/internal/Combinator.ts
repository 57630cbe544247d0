/**
 * Combinators in both styles, `f(self, options)` and `self.pipe(f(options))`,
 * that check their options when they are built.
 *
 * **Details**
 *
 * `dual` of Effect runs the whole body when the effect arrives, and a bad option
 * would be found with the first call.
 */
import * as Effect from "effect/Effect"

/**
 * Effect of any type, where overloads say which it is.
 */
export type AnyEffect = Effect.Effect<unknown, unknown, unknown>

/**
 * Creates a combinator from a function that checks the options and returns the
 * combinator's data-last form.
 *
 * **Details**
 *
 * The overloads where it is used say what it does. The first argument of the
 * data-first form is the effect, so the first option cannot be one.
 */
export const make = (build: (...options: ReadonlyArray<never>) => (self: Effect.Effect<never>) => AnyEffect): never => {
  const combinator = (...args: ReadonlyArray<never>) =>
    Effect.isEffect(args[0]) ? build(...args.slice(1))(args[0]) : build(...args)
  // The overloads where it is used say what it does.
  return combinator as never
}
