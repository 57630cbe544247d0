/**
 * Fallbacks: what answers when an effect fails.
 *
 * **Details**
 *
 * - `orElse` and `orElseSucceed` answer with an effect or a value, `chain` with
 *   the first of several named sources that succeeds, or with a default.
 * - Only typed failures are answered, or those of them that `if` names. A defect
 *   passes through unless `defects` is true. Interruption always does.
 * - What failed first is not lost when the fallback fails too: after `orElse`
 *   the reasons of the original cause follow those of the fallback, and a
 *   `FallbackExhaustedError` holds the cause of every source.
 * - When something else than the first source has served, the current span gets
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
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { LazyArg } from "effect/Function"
import type { Refinement } from "effect/Predicate"
import type { ExcludeTag, ExtractTag, Tags } from "effect/Types"
import * as Combinator from "../core/internal/Combinator.ts"
import type { AnyEffect } from "../core/internal/Combinator.ts"
import * as Rules from "../core/internal/Rules.ts"
import * as ErrorTags from "../core/internal/Tags.ts"
import * as PolicyObserver from "./internal/PolicyObserver.ts"

const module = "Fallback"

/**
 * Name of the span attribute that holds the source that served.
 */
export const sourceAttribute = "resilience.fallback.source"

/**
 * Choice among typed failures: a tag, several tags, a predicate or a refinement.
 */
export type If<E> = Tags<E> | readonly [Tags<E>, ...ReadonlyArray<Tags<E>>] | ((error: E) => boolean)

/**
 * Errors that an `If` chooses: all where there is none.
 */
export type Chosen<E, I> = [undefined] extends [I]
  ? E
  : I extends string
    ? ExtractTag<E, I>
    : I extends ReadonlyArray<infer K extends string>
      ? ExtractTag<E, K>
      : I extends Refinement<E, infer EB>
        ? EB
        : E

/**
 * Errors that are left where an `If` has chosen: none where there is none, and
 * all where it is a predicate.
 */
export type Left<E, I> = [undefined] extends [I]
  ? never
  : I extends string
    ? ExcludeTag<E, I>
    : I extends ReadonlyArray<infer K extends string>
      ? ExcludeTag<E, K>
      : I extends Refinement<E, infer EB>
        ? Exclude<E, EB>
        : E

/**
 * Options of `orElse` and `orElseSucceed`.
 */
export interface Options {
  /** Absent: every typed failure is answered. */
  readonly if?: undefined
  /** False or absent: a defect passes through. */
  readonly defects?: false | undefined
  /** Name of the fallback in the span attribute. Default `"fallback"`. */
  readonly source?: string | undefined
}

/**
 * Options of `orElse` and `orElseSucceed` where they answer some failures.
 */
export interface IfOptions<I> extends Omit<Options, "if"> {
  /** Which typed failures are answered. */
  readonly if: I
}

/**
 * Options of `orElse` and `orElseSucceed` where they answer defects too.
 */
export interface DefectOptions extends Omit<Options, "defects"> {
  /** True: the function is given the cause of any failure but interruption. */
  readonly defects: true
}

/**
 * Source of a chain.
 */
export interface Source<out A, out E = never, out R = never> {
  /** Name, unique in its chain. */
  readonly name: string
  /** Effect that gives the value. */
  readonly effect: Effect.Effect<A, E, R>
}

/**
 * Source of a chain that has failed.
 */
export interface FailedSource<out E> {
  /** Name of the source. */
  readonly source: string
  /** Why it failed. */
  readonly cause: Cause.Cause<E>
}

/**
 * Report that something else than the first source of a chain has served.
 */
export interface Fallback<out E> {
  /** Name of the source that served, `"default"` for the default. */
  readonly source: string
  /** Sources that failed before it, in order. */
  readonly failures: ReadonlyArray<FailedSource<E>>
}

/**
 * Value of a chain, with the source that served it.
 */
export interface Served<out A, out E> extends Fallback<E> {
  /** Value that was served. */
  readonly value: A
}

/**
 * Options of a chain.
 */
export interface ChainOptions<E, I = undefined, R = never> {
  /** Which typed failures lead to the next source. Default all. */
  readonly if?: I | undefined
  /** Whether a defect leads to the next source, or passes through. Default false. */
  readonly defects?: boolean | undefined
  /** Effect that is run when something else than the first source has served. Default none. */
  readonly onFallback?: ((fallback: Fallback<E>) => Effect.Effect<unknown, never, R>) | undefined
  /** No default: the chain fails when every source has failed. */
  readonly default?: undefined
}

/**
 * Options of a chain that ends with a default.
 */
export interface ChainDefaultOptions<E, D, I = undefined, R = never> extends Omit<ChainOptions<E, I, R>, "default"> {
  /** Returns the value when every source has failed. */
  readonly default: LazyArg<D>
}

/**
 * Option of `chainTo`.
 */
export interface FirstOptions {
  /** Name of the effect that is the first source. Default `"primary"`. */
  readonly name?: string | undefined
}

/**
 * Choice among typed failures as plain data: all, some tags, or what a function
 * accepts.
 */
export type Choice = "all" | "predicate" | ReadonlyArray<string>

/**
 * Parameters of `orElse` and `orElseSucceed` as plain data.
 */
export interface Settings {
  /** Which typed failures are answered. */
  readonly if: Choice
  /** Whether defects are answered. */
  readonly defects: boolean
  /** Name of the fallback. */
  readonly source: string
}

/**
 * Parameters of a chain as plain data.
 */
export interface ChainSettings {
  /** Names of the sources, in order. */
  readonly sources: ReadonlyArray<string>
  /** Whether there is a default. */
  readonly default: boolean
  /** Which typed failures lead to the next source. */
  readonly if: Choice
  /** Whether a defect leads to the next source. */
  readonly defects: boolean
}

/**
 * Options where none are given.
 */
export const defaults = { defects: false, source: "fallback", name: "primary" } as const

/**
 * Error of a chain whose every source has failed.
 */
export class FallbackExhaustedError<out E> extends Data.TaggedError("FallbackExhaustedError")<{
  /** Every source with its cause, in order. */
  readonly failures: ReadonlyArray<FailedSource<E>>
}> {
  override get message(): string {
    const sources = this.failures.map(({ cause, source }) => `${source} (${text(cause)})`)
    return `Every source failed: ${sources.join(", ")}`
  }

  /** Error of the first source. */
  override get cause(): unknown {
    const [first] = this.failures
    return first && Cause.squash(first.cause)
  }
}

/**
 * Returns the parameters of `orElse` and `orElseSucceed`, and throws an
 * `InvalidOptionError` if one of them breaks a rule.
 */
export const resolve = (options: Options | IfOptions<unknown> | DefectOptions = {}): Settings => {
  const settings = {
    if: choice(options.if),
    defects: Rules.boolean(module, "defects", options.defects ?? defaults.defects),
    source: Rules.name(module, "source", options.source ?? defaults.source)
  }
  if (settings.defects && settings.if !== "all") Rules.reject(module, "if", options.if, "absent beside `defects`")
  return settings
}

/**
 * Returns the parameters of a chain, and throws an `InvalidOptionError` if one
 * of them breaks a rule. `first` is the name of a source before the others.
 */
export const resolveChain = (
  sources: ReadonlyArray<Source<unknown, unknown, unknown>>,
  options: ChainOptions<never, unknown, unknown> | ChainDefaultOptions<never, unknown, unknown, unknown> = {},
  first?: string
): ChainSettings => {
  const hasDefault = options.default !== undefined
  if (hasDefault) checkFunction("default", options.default)
  if (options.onFallback !== undefined) checkFunction("onFallback", options.onFallback)
  if (!Array.isArray(sources)) Rules.reject(module, "sources", sources, "an array of sources")
  if (sources.length === 0 && !hasDefault) {
    Rules.reject(module, "sources", sources, "at least one source, or there must be a default")
  }
  const names = first === undefined ? [] : [first]
  for (const [i, { effect, name }] of sources.entries()) {
    Rules.name(module, `sources.${i}.name`, name)
    if (names.includes(name) || (hasDefault && name === defaultName)) {
      Rules.reject(module, `sources.${i}.name`, name, "a name that nothing else in the chain has")
    }
    if (!Effect.isEffect(effect)) Rules.reject(module, `sources.${i}.effect`, effect, "an Effect")
    names.push(name)
  }
  return {
    sources: names,
    default: hasDefault,
    if: choice(options.if),
    defects: Rules.boolean(module, "defects", options.defects ?? defaults.defects)
  }
}

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
  checkFunction("orElse", f)
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
  checkFunction("orElseSucceed", f)
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
  if (!Effect.isEffect(effect)) checkFunction("effect", effect, "an Effect or a function that returns one")
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
  inOrder(sources, resolveChain(sources, options), options, false) as never

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
  inOrder(sources, resolveChain(sources, options), options, true) as never

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
  const settings = resolveChain(sources, options, name)
  return (self: AnyEffect) => inOrder([{ name, effect: self }, ...sources], settings, options, false)
})

type AnyOptions = Options | IfOptions<Accept> | DefectOptions

type Accept = ErrorTags.Match<unknown>

interface AnyChainOptions {
  readonly if?: Accept | undefined
  readonly defects?: boolean | undefined
  readonly onFallback?: ((fallback: Fallback<unknown>) => Effect.Effect<unknown, never, unknown>) | undefined
  readonly default?: LazyArg<unknown> | undefined
}

/** Name of the default in the span attribute and in `Fallback`. */
const defaultName = "default"

/**
 * Answers the failures that the options choose with what `f` returns.
 */
const answer = (f: (failure: unknown) => AnyEffect, options: AnyOptions | undefined) => {
  const settings = resolve(options)
  const pick = picker(options?.if, settings.defects)
  const served = annotate(settings.source)
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

/**
 * Runs the effects of a chain until one succeeds. The value comes with its
 * source if `withSource` is true.
 */
const inOrder = (
  sources: Sources,
  settings: ChainSettings,
  options: AnyChainOptions,
  withSource: boolean
): AnyEffect => {
  const pick = picker(options.if, settings.defects)
  const all: Sources =
    options.default === undefined ? sources : [...sources, { name: defaultName, effect: Effect.sync(options.default) }]

  const serve = (fallback: Fallback<unknown>, value: unknown): AnyEffect => {
    const result = Effect.succeed(withSource ? { ...fallback, value } : value)
    const annotated = annotate(fallback.source)
    return options.onFallback === undefined
      ? Effect.andThen(annotated, result)
      : Effect.andThen(annotated, Effect.andThen(options.onFallback(fallback), result))
  }

  const failed = (
    index: number,
    source: string,
    cause: Cause.Cause<unknown>,
    before: ReadonlyArray<FailedSource<unknown>>
  ): AnyEffect => {
    const earlier = before.map((failure) => failure.cause)
    // A default can only fail with a defect, which is no failure of a source.
    if (index >= sources.length) return Effect.failCause(followedBy(cause, earlier))
    return choose(pick, cause, earlier, () => {
      const failures = [...before, { source, cause }]
      const next = all[index + 1]
      if (next === undefined) {
        PolicyObserver.current()?.allFailed()
        return Effect.fail(new FallbackExhaustedError({ failures }))
      }
      return Effect.matchCauseEffect(next.effect, {
        onSuccess: (value) => serve({ source: next.name, failures }, value),
        onFailure: (later) => failed(index + 1, next.name, later, failures)
      })
    })
  }

  // A chain has a source or a default: this has been checked.
  const first = all[0]!
  const onFailure = (cause: Cause.Cause<unknown>) => failed(0, first.name, cause, [])
  return withSource
    ? Effect.matchCauseEffect(first.effect, {
        onSuccess: (value) => Effect.succeed({ source: first.name, failures: [], value }),
        onFailure
      })
    : Effect.catchCause(first.effect, onFailure)
}

type Pick = (cause: Cause.Cause<unknown>) => { readonly failure: unknown } | undefined

/**
 * Makes the function that returns what a fallback is given of a cause, or
 * nothing where the cause passes through.
 */
const picker = (given: Accept | undefined, defects: boolean): Pick => {
  if (defects && given === undefined) {
    return (cause) => (Cause.hasInterruptsOnly(cause) ? undefined : { failure: cause })
  }
  const accepts = given === undefined ? () => true : ErrorTags.matcher(given)
  return (cause) => {
    if (Cause.hasDies(cause)) return defects ? { failure: cause } : undefined
    const fail = cause.reasons.find(Cause.isFailReason)
    return fail !== undefined && accepts(fail.error) ? { failure: fail.error } : undefined
  }
}

/**
 * Continues with what `pick` takes of a cause, or fails with the cause.
 */
const choose = (
  pick: Pick,
  cause: Cause.Cause<unknown>,
  earlier: ReadonlyArray<Cause.Cause<unknown>>,
  then: (failure: unknown) => AnyEffect
): AnyEffect => {
  let picked: ReturnType<Pick>
  try {
    picked = pick(cause)
  } catch (defect) {
    // A predicate of the caller has thrown.
    return Effect.failCause(followedBy(Cause.die(defect), [...earlier, cause]))
  }
  return picked === undefined ? Effect.failCause(followedBy(cause, earlier)) : then(picked.failure)
}

/**
 * Adds the reasons of earlier causes to a cause, the latest first. An
 * interruption stays one, as it would otherwise be taken for a typed failure.
 */
const followedBy = (
  cause: Cause.Cause<unknown>,
  earlier: ReadonlyArray<Cause.Cause<unknown>>
): Cause.Cause<unknown> => {
  if (earlier.length === 0 || Cause.hasInterruptsOnly(cause)) return cause
  const reasons = earlier.toReversed().flatMap((before) => before.reasons)
  return Cause.combine(cause, Cause.fromReasons(reasons.filter((reason) => !Cause.isInterruptReason(reason))))
}

const annotate = (name: string): Effect.Effect<void> =>
  Effect.suspend(() => {
    PolicyObserver.current()?.served(name)
    return Effect.annotateCurrentSpan(sourceAttribute, name)
  })

const text = (cause: Cause.Cause<unknown>): string =>
  Cause.prettyErrors(cause)
    .map(({ message, name }) => (message === "" ? name : name === "Error" ? message : `${name}: ${message}`))
    .join("; ")

const choice = (given: unknown): Choice => {
  if (given === undefined) return "all"
  // The check takes any value.
  const accepts = ErrorTags.check(module, "if", given as Accept)
  return typeof accepts === "function" ? "predicate" : accepts
}

const checkFunction = (field: string, f: unknown, rule = "a function"): void => {
  if (typeof f !== "function") Rules.reject(module, field, f, rule)
}
