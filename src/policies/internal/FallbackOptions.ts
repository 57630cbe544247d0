/**
 * Options of fallbacks and chains: types, defaults, checks and JSON.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { LazyArg } from "effect/Function"
import type { Refinement } from "effect/Predicate"
import * as Schema from "effect/Schema"
import type { ExcludeTag, ExtractTag, Tags } from "effect/Types"
import * as ConfigSchema from "../../core/internal/ConfigSchema.ts"
import * as Rules from "../../core/internal/Rules.ts"
import * as ErrorTags from "../../core/internal/Tags.ts"

const module = "Fallback"

/** Name of the default in the span attribute and in `Fallback`. */
export const defaultName = "default"

export type Sources = ReadonlyArray<Source<unknown, unknown, unknown>>

export interface AnyChainOptions {
  readonly if?: unknown
  readonly defects?: boolean | undefined
  readonly onFallback?: ResolvedChain["onFallback"]
  readonly default?: LazyArg<unknown> | undefined
}

/**
 * Choice among typed failures: a tag, several tags, a predicate or a refinement.
 */
export type If<E> = Tags<E> | readonly [Tags<E>, ...ReadonlyArray<Tags<E>>] | ((error: E) => boolean)

/**
 * Errors that an `If` chooses: all where it is absent.
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
 * Errors that an `If` leaves: none where it is absent, and all where it is a
 * predicate.
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
  /** Which typed failures are answered. Default: all. */
  readonly if?: undefined
  /** Whether defects are answered. Default: false. */
  readonly defects?: false | undefined
  /** Name of the fallback in the span attribute. Default: "fallback". */
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
  readonly source: string
  /** Why it failed. */
  readonly cause: Cause.Cause<E>
}

/**
 * Report that a source of a chain other than the first has served.
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
  readonly value: A
}

/**
 * Options of a chain.
 */
export interface ChainOptions<E, I = undefined, R = never> {
  /** Which typed failures lead to the next source. Default: all. */
  readonly if?: I | undefined
  /** Whether a defect leads to the next source, or passes through. Default: false. */
  readonly defects?: boolean | undefined
  /** Effect that is run when a source other than the first has served. Default: none. */
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
  /** Name of the effect that is the first source. Default: "primary". */
  readonly name?: string | undefined
}

/**
 * Defaults of the options.
 */
export const defaults = { defects: false, source: "fallback", name: "primary" } as const

/**
 * Options of `orElse` and `orElseSucceed`, all there and checked.
 */
export interface Resolved {
  /** Predicate of the errors that are answered. Absent: all are. */
  readonly if: ((error: unknown) => boolean) | undefined
  readonly defects: boolean
  readonly source: string
}

/**
 * Options of a chain, all there and checked.
 */
export interface ResolvedChain {
  /** Names of the sources, in order. */
  readonly sources: ReadonlyArray<string>
  /** Predicate of the errors that lead to the next source. Absent: all do. */
  readonly if: ((error: unknown) => boolean) | undefined
  readonly defects: boolean
  readonly onFallback: ((fallback: Fallback<unknown>) => Effect.Effect<unknown, never, unknown>) | undefined
  readonly default: LazyArg<unknown> | undefined
}

/**
 * Checks the options of `orElse` and `orElseSucceed` and fills in the defaults.
 * Throws an `InvalidOptionError`.
 */
export const resolve = (options: Options | IfOptions<unknown> | DefectOptions = {}): Resolved => {
  const resolved = {
    if: predicateOf(options.if),
    defects: Rules.boolean(module, "defects", options.defects ?? defaults.defects),
    source: Rules.name(module, "source", options.source ?? defaults.source)
  }
  if (resolved.defects && resolved.if !== undefined) Rules.reject(module, "if", options.if, "absent beside `defects`")
  return resolved
}

/**
 * Checks the sources and options of a chain and fills in the defaults. Throws an
 * `InvalidOptionError`. `first` is the name of a source before the others.
 */
export const resolveChain = (
  sources: ReadonlyArray<Source<unknown, unknown, unknown>>,
  options: ChainOptions<never, unknown, unknown> | ChainDefaultOptions<never, unknown, unknown, unknown> = {},
  first?: string
): ResolvedChain => {
  // Each field is checked here; the callers' types tie the functions to the sources.
  const { default: last, onFallback, ...others } = options as AnyChainOptions
  if (last !== undefined) Rules.fn(module, "default", last)
  if (onFallback !== undefined) Rules.fn(module, "onFallback", onFallback)
  if (!Array.isArray(sources)) Rules.reject(module, "sources", sources, "an array of sources")
  if (sources.length === 0 && last === undefined) {
    Rules.reject(module, "sources", sources, "at least one source, or there must be a default")
  }
  const names = first === undefined ? [] : [first]
  for (const [i, { effect, name }] of sources.entries()) {
    Rules.name(module, `sources.${i}.name`, name)
    if (names.includes(name) || (last !== undefined && name === defaultName)) {
      Rules.reject(module, `sources.${i}.name`, name, "a name that nothing else in the chain has")
    }
    if (!Effect.isEffect(effect)) Rules.reject(module, `sources.${i}.effect`, effect, "an Effect")
    names.push(name)
  }
  return {
    sources: names,
    if: predicateOf(others.if),
    defects: Rules.boolean(module, "defects", others.defects ?? defaults.defects),
    onFallback,
    default: last
  }
}

const checkIf = (given: unknown): ErrorTags.Checked<unknown> | undefined =>
  // The check takes any value.
  given === undefined ? undefined : ErrorTags.check(module, "if", given as ErrorTags.Match<unknown>)

const predicateOf = (given: unknown): Resolved["if"] => {
  const matches = checkIf(given)
  return matches && ErrorTags.matcher(matches)
}

/**
 * Options of `orElse` and `orElseSucceed` as JSON.
 */
export interface Description {
  readonly if?: ReadonlyArray<string> | "a function"
  readonly defects?: true
  readonly source: string
}

/**
 * Returns the options of `orElse` and `orElseSucceed` as JSON, with their
 * defaults filled in. `Config` reads it back where `if` is not a function and
 * `defects` is false, which is not written.
 */
export const describe = (options: Options | IfOptions<unknown> | DefectOptions = {}): Description => {
  const { defects, source } = resolve(options)
  const matches = checkIf(options.if)
  return {
    ...(matches === undefined ? undefined : { if: ErrorTags.describe(matches) }),
    ...(defects ? { defects } : undefined),
    source
  }
}

/**
 * Sources and options of a chain as JSON.
 */
export interface ChainDescription {
  /** Names of the sources, in order. */
  readonly sources: ReadonlyArray<string>
  readonly if?: ReadonlyArray<string> | "a function"
  readonly defects: boolean
  readonly onFallback?: "a function"
  readonly default?: "a function"
}

/**
 * Returns the sources and options of a chain as JSON, with their defaults filled
 * in.
 */
export const describeChain = (...chain: Parameters<typeof resolveChain>): ChainDescription => {
  const { default: last, defects, onFallback, sources } = resolveChain(...chain)
  const matches = checkIf(chain[1]?.if)
  return {
    sources,
    ...(matches === undefined ? undefined : { if: ErrorTags.describe(matches) }),
    defects,
    ...(onFallback === undefined ? undefined : { onFallback: "a function" }),
    ...(last === undefined ? undefined : { default: "a function" })
  }
}

/**
 * Decoded options of a fallback: those that JSON can hold.
 */
export interface ConfigOptions {
  readonly if?: string | ReadonlyArray<string>
  readonly source?: string
}

/**
 * Options of a fallback in JSON.
 */
export interface ConfigJson {
  readonly if?: string | ReadonlyArray<string>
  readonly source?: string
}

/**
 * Schema of the options of a fallback in JSON, or in the environment through
 * `Config.schema` of Effect, for `Policy.fallback({ orElse, ...options })`.
 *
 * **Details**
 *
 * `defects` is not among them: it decides between errors and causes, and so the
 * type of the function.
 */
export const Config: Schema.Codec<ConfigOptions, ConfigJson> = /* @__PURE__ */ (() =>
  ConfigSchema.checked(
    ConfigSchema.struct({
      if: Schema.optionalKey(Schema.Union([Schema.String, Schema.Array(Schema.String)])),
      source: Schema.optionalKey(Schema.String)
    }),
    // The types of the tags are those of the effect, which is not known here.
    (options) => resolve(options as Options | IfOptions<unknown>)
  ))()
