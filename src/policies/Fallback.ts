/**
 * Fallbacks: answers for effects that fail.
 *
 * **Details**
 *
 * - `orElse` and `orElseSucceed` answer with an effect or a value, `chain` with
 *   the first of several named sources that succeeds, or with a default.
 * - Only typed failures are answered, or those of them that `if` names. A defect
 *   passes through unless `defects` is true. Interruption always does.
 * - The first failure is kept when the fallback fails too: after `orElse` the
 *   reasons of the original cause follow those of the fallback, and a
 *   `FallbackExhaustedError` holds the cause of every source.
 * - When a source other than the first has served, the current span gets
 *   the attribute `resilience.fallback.source`. No span is created.
 * - A default is always given as a function, so any value can be one: `0`, `""`,
 *   `null` and `undefined` too.
 * - An effect that succeeds costs one frame more.
 *
 * **Gotchas**
 *
 * - Refusals, such as that of an open circuit, are typed failures: a fallback
 *   answers them.
 * - A fallback inside a retry or a circuit breaker hides failures from them. It
 *   belongs outside.
 * - The error type after `orElse` is that of the first typed failure in the
 *   cause, as with `Effect.catchTag`: the original failure behind it is there
 *   for logs and is not in the type.
 *
 * **Example** (Trying sources in order)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Fallback } from "effect-resilience"
 *
 * const quote = Fallback.chain(
 *   [
 *     Fallback.source("primary", Effect.fail("unavailable")),
 *     Fallback.source("backup", Effect.succeed(101)),
 *     Fallback.source("cache", Effect.succeed(99))
 *   ],
 *   { default: () => null }
 * )
 *
 * await Effect.runPromise(quote) // => 101
 * ```
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { LazyArg } from "effect/Function"
import * as Combinator from "../core/internal/Combinator.ts"
import type { AnyEffect } from "../core/internal/Combinator.ts"
import * as Rules from "../core/internal/Rules.ts"
import { choose, followedBy, picker } from "./internal/FallbackCause.ts"
import { annotate, type FallbackExhaustedError, runInOrder } from "./internal/FallbackChain.ts"
import { type AnyChainOptions, defaults, resolve, resolveChain } from "./internal/FallbackOptions.ts"
import type {
  ChainDefaultOptions,
  ChainOptions,
  Chosen,
  DefectOptions,
  FirstOptions,
  If,
  IfOptions,
  Left,
  Options,
  Served,
  Source
} from "./internal/FallbackOptions.ts"

export { FallbackExhaustedError, sourceAttribute } from "./internal/FallbackChain.ts"
export {
  type ChainDefaultOptions,
  type ChainDescription,
  type ChainOptions,
  type Chosen,
  Config,
  type ConfigJson,
  type ConfigOptions,
  type DefectOptions,
  defaults,
  describe,
  describeChain,
  type Description,
  type FailedSource,
  type Fallback,
  type FirstOptions,
  type If,
  type IfOptions,
  type Left,
  type Options,
  resolve,
  resolveChain,
  type Resolved,
  type ResolvedChain,
  type Served,
  type Source
} from "./internal/FallbackOptions.ts"

const module = "Fallback"

/**
 * Continues with the effect that `f` returns when an effect fails.
 *
 * **Details**
 *
 * When that effect fails too, its error is what the caller sees, and the reasons
 * of the original cause follow in the cause.
 *
 * **Example** (Answering one kind of error)
 *
 * ```ts
 * import { Data, Effect } from "effect"
 * import { Fallback } from "effect-resilience"
 *
 * class Unavailable extends Data.TaggedError("Unavailable")<{}> {}
 * class NotFound extends Data.TaggedError("NotFound")<{}> {}
 *
 * const load = (id: number): Effect.Effect<string, Unavailable | NotFound> =>
 *   id === 0 ? new NotFound() : new Unavailable()
 *
 * const loadOrCached = (id: number): Effect.Effect<string, NotFound> =>
 *   load(id).pipe(Fallback.orElse(() => Effect.succeed("cached"), { if: "Unavailable" }))
 *
 * await Effect.runPromise(loadOrCached(1)) // => "cached"
 * ```
 */
export const orElse: {
  <E, A2, E2, R2>(
    f: (error: E) => Effect.Effect<A2, E2, R2>,
    options?: Options
  ): <A, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A | A2, E2, R | R2>
  <E, A2, E2, R2>(
    f: (cause: Cause.Cause<E>) => Effect.Effect<A2, E2, R2>,
    options: DefectOptions
  ): <A, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A | A2, E2, R | R2>
  <E, A2, E2, R2, const I extends If<E>>(
    f: (error: NoInfer<Chosen<E, I>>) => Effect.Effect<A2, E2, R2>,
    options: IfOptions<I>
  ): <A, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A | A2, Left<E, I> | E2, R | R2>
  <A, E, R, A2, E2, R2>(
    self: Effect.Effect<A, E, R>,
    f: (error: NoInfer<E>) => Effect.Effect<A2, E2, R2>,
    options?: Options
  ): Effect.Effect<A | A2, E2, R | R2>
  <A, E, R, A2, E2, R2>(
    self: Effect.Effect<A, E, R>,
    f: (cause: Cause.Cause<NoInfer<E>>) => Effect.Effect<A2, E2, R2>,
    options: DefectOptions
  ): Effect.Effect<A | A2, E2, R | R2>
  <A, E, R, A2, E2, R2, const I extends If<E>>(
    self: Effect.Effect<A, E, R>,
    f: (error: NoInfer<Chosen<E, I>>) => Effect.Effect<A2, E2, R2>,
    options: IfOptions<I>
  ): Effect.Effect<A | A2, Left<E, I> | E2, R | R2>
} = /* @__PURE__ */ Combinator.make((f: (failure: unknown) => AnyEffect, options?: AnyOptions) => {
  Rules.fn(module, "orElse", f)
  return answer(f, options)
})

/**
 * Succeeds with the value that `f` returns when an effect fails.
 *
 * **Example** (Giving a default)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Fallback } from "effect-resilience"
 *
 * const count = Effect.fail("unavailable").pipe(Fallback.orElseSucceed(() => 0))
 *
 * await Effect.runPromise(count) // => 0
 * ```
 */
export const orElseSucceed: {
  <E, A2>(
    f: (error: E) => A2,
    options?: Options
  ): <A, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A | A2, never, R>
  <E, A2>(
    f: (cause: Cause.Cause<E>) => A2,
    options: DefectOptions
  ): <A, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A | A2, never, R>
  <E, A2, const I extends If<E>>(
    f: (error: NoInfer<Chosen<E, I>>) => A2,
    options: IfOptions<I>
  ): <A, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A | A2, Left<E, I>, R>
  <A, E, R, A2>(
    self: Effect.Effect<A, E, R>,
    f: (error: NoInfer<E>) => A2,
    options?: Options
  ): Effect.Effect<A | A2, never, R>
  <A, E, R, A2>(
    self: Effect.Effect<A, E, R>,
    f: (cause: Cause.Cause<NoInfer<E>>) => A2,
    options: DefectOptions
  ): Effect.Effect<A | A2, never, R>
  <A, E, R, A2, const I extends If<E>>(
    self: Effect.Effect<A, E, R>,
    f: (error: NoInfer<Chosen<E, I>>) => A2,
    options: IfOptions<I>
  ): Effect.Effect<A | A2, Left<E, I>, R>
} = /* @__PURE__ */ Combinator.make((f: (failure: unknown) => unknown, options?: AnyOptions) => {
  Rules.fn(module, "orElseSucceed", f)
  return answer((failure) => Effect.succeed(f(failure)), options)
})

/**
 * Creates a source of a chain.
 *
 * **Details**
 *
 * A function that returns the effect is called when the source is tried.
 */
export const source = <A, E, R>(
  name: string,
  effect: Effect.Effect<A, E, R> | LazyArg<Effect.Effect<A, E, R>>
): Source<A, E, R> => {
  Rules.name(module, "name", name)
  if (!Effect.isEffect(effect)) Rules.fn(module, "effect", effect, "an Effect or a function that returns one")
  return { name, effect: Effect.isEffect(effect) ? effect : Effect.suspend(effect) }
}

type Sources = ReadonlyArray<Source<unknown, unknown, unknown>>
type Value<S extends Sources> = Effect.Success<S[number]["effect"]>
type Failure<S extends Sources> = Effect.Error<S[number]["effect"]>
type Services<S extends Sources> = Effect.Services<S[number]["effect"]>

/**
 * Tries sources in order, and succeeds with the value of the first one that
 * succeeds.
 *
 * **Details**
 *
 * - When every source has failed the value is that of `default`. Without it the
 *   chain fails with a `FallbackExhaustedError`.
 * - A failure that `if` does not choose ends the chain. So does a defect, unless
 *   `defects` is true. The reasons of the sources that failed before it follow
 *   in the cause.
 *
 * **Example** (Reading what failed)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Fallback } from "effect-resilience"
 *
 * const quote = Fallback.chain([
 *   Fallback.source("primary", Effect.fail("unavailable")),
 *   Fallback.source("backup", Effect.fail("overloaded"))
 * ])
 *
 * const error = await Effect.runPromise(Effect.flip(quote))
 *
 * error.message // => "Every source failed: primary (unavailable), backup (overloaded)"
 * ```
 */
export const chain: {
  <const S extends Sources, D, const I extends If<Failure<S>> | undefined, R2 = never>(
    sources: S,
    options: ChainDefaultOptions<Failure<S>, D, I, R2>
  ): Effect.Effect<Value<S> | D, Left<Failure<S>, I>, Services<S> | R2>
  <const S extends Sources, const I extends If<Failure<S>> | undefined, R2 = never>(
    sources: S,
    options?: ChainOptions<Failure<S>, I, R2>
  ): Effect.Effect<Value<S>, Left<Failure<S>, I> | FallbackExhaustedError<Failure<S>>, Services<S> | R2>
} = (sources: Sources, options: AnyChainOptions = {}): never =>
  // The overloads say what this does.
  runInOrder(sources, resolveChain(sources, options), false) as never

/**
 * Tries sources in order like `chain`, and succeeds with the value together with
 * the source that served it and those that failed before.
 *
 * **Example** (Telling a fresh value from a cached one)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Fallback } from "effect-resilience"
 *
 * const quote = Fallback.chainServed([
 *   Fallback.source("primary", Effect.fail("unavailable")),
 *   Fallback.source("cache", Effect.succeed(99))
 * ])
 *
 * const { failures, source, value } = await Effect.runPromise(quote)
 *
 * const summary = [source, value, failures.map((failure) => failure.source)]
 * summary // => ["cache", 99, ["primary"]]
 * ```
 */
export const chainServed: {
  <const S extends Sources, D, const I extends If<Failure<S>> | undefined, R2 = never>(
    sources: S,
    options: ChainDefaultOptions<Failure<S>, D, I, R2>
  ): Effect.Effect<Served<Value<S> | D, Failure<S>>, Left<Failure<S>, I>, Services<S> | R2>
  <const S extends Sources, const I extends If<Failure<S>> | undefined, R2 = never>(
    sources: S,
    options?: ChainOptions<Failure<S>, I, R2>
  ): Effect.Effect<
    Served<Value<S>, Failure<S>>,
    Left<Failure<S>, I> | FallbackExhaustedError<Failure<S>>,
    Services<S> | R2
  >
} = (sources: Sources, options: AnyChainOptions = {}): never =>
  // The overloads say what this does.
  runInOrder(sources, resolveChain(sources, options), true) as never

/**
 * Tries an effect, and then sources in order, like a `chain` whose first source
 * is the effect.
 *
 * **Example** (Falling back to a cache and to a default)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Fallback } from "effect-resilience"
 *
 * const quote = Effect.fail("unavailable").pipe(
 *   Fallback.chainTo([Fallback.source("cache", Effect.fail("empty"))], { default: () => 0 })
 * )
 *
 * await Effect.runPromise(quote) // => 0
 * ```
 */
export const chainTo: {
  <E, const S extends Sources, D, const I extends If<E | Failure<S>> | undefined, R2 = never>(
    sources: S,
    options: ChainDefaultOptions<E | Failure<S>, D, I, R2> & FirstOptions
  ): <A, R>(
    self: Effect.Effect<A, E, R>
  ) => Effect.Effect<A | Value<S> | D, Left<E | Failure<S>, I>, R | Services<S> | R2>
  <E, const S extends Sources, const I extends If<E | Failure<S>> | undefined, R2 = never>(
    sources: S,
    options?: ChainOptions<E | Failure<S>, I, R2> & FirstOptions
  ): <A, R>(
    self: Effect.Effect<A, E, R>
  ) => Effect.Effect<
    A | Value<S>,
    Left<E | Failure<S>, I> | FallbackExhaustedError<E | Failure<S>>,
    R | Services<S> | R2
  >
  <A, E, R, const S extends Sources, D, const I extends If<E | Failure<S>> | undefined, R2 = never>(
    self: Effect.Effect<A, E, R>,
    sources: S,
    options: ChainDefaultOptions<E | Failure<S>, D, I, R2> & FirstOptions
  ): Effect.Effect<A | Value<S> | D, Left<E | Failure<S>, I>, R | Services<S> | R2>
  <A, E, R, const S extends Sources, const I extends If<E | Failure<S>> | undefined, R2 = never>(
    self: Effect.Effect<A, E, R>,
    sources: S,
    options?: ChainOptions<E | Failure<S>, I, R2> & FirstOptions
  ): Effect.Effect<A | Value<S>, Left<E | Failure<S>, I> | FallbackExhaustedError<E | Failure<S>>, R | Services<S> | R2>
} = /* @__PURE__ */ Combinator.make((sources: Sources, options: AnyChainOptions & FirstOptions = {}) => {
  const name = Rules.name(module, "name", options.name ?? defaults.name)
  const resolved = resolveChain(sources, options, name)
  return (self: AnyEffect) => runInOrder([{ name, effect: self }, ...sources], resolved, false)
})

type AnyOptions = Options | IfOptions<unknown> | DefectOptions

/**
 * Answers the failures that the options choose with what `f` returns.
 */
const answer = (f: (failure: unknown) => AnyEffect, options: AnyOptions | undefined) => {
  const resolved = resolve(options)
  const pick = picker(resolved)
  const served = annotate(resolved.source)
  const onFailure = (cause: Cause.Cause<unknown>) =>
    choose(pick, cause, [], (failure) =>
      Effect.matchCauseEffect(
        Effect.suspend(() => f(failure)),
        {
          onSuccess: (value) => Effect.as(served, value),
          onFailure: (later) => Effect.failCause(followedBy(later, [cause]))
        }
      )
    )
  return (self: AnyEffect): AnyEffect => Effect.catchCause(self, onFailure)
}
