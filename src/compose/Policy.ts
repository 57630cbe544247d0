/**
 * Policies: several protections as one function from effect to effect.
 *
 * **Details**
 *
 * - A policy is a function: `effect.pipe(policy)`. Its type adds exactly the
 *   errors and services that its layers add.
 * - `make` puts its layers in the canonical order, outermost first: fallback,
 *   deadline, retry, circuit breaker, attempt timeout, call. So each attempt has
 *   its timeout, the breaker sees each attempt, refusals are not retried, the
 *   deadline bounds all attempts with their waits, and the fallback answers
 *   whatever is left.
 * - `compose` makes any other order, the first argument outermost.
 * - `describe` prints a policy with every default, and warns of orders that hide
 *   failures.
 * - A policy is stateless apart from its breaker, so one can be used for many
 *   effects at the same time.
 *
 * **Gotchas**
 *
 * - A policy is made once and used often. One that is made for each call, such
 *   as for a key that is only known then, costs the checks of its options.
 * - The functions of a layer get the errors that the layers inside it add too.
 *   One that takes fewer errors than there are does not compile.
 *
 * **Example** (A policy for a dependency)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { CircuitBreaker, Policy } from "effect-resilience"
 *
 * class Payments extends CircuitBreaker.Service<Payments>()("payments") {}
 *
 * const resilient = Policy.make({
 *   attemptTimeout: "2 seconds",
 *   breaker: Payments,
 *   retry: { maxAttempts: 3 },
 *   deadline: "10 seconds"
 * })
 *
 * const charge = Effect.succeed("charged").pipe(resilient)
 *
 * await Effect.runPromise(charge.pipe(Effect.provide(Payments.layer))) // => "charged"
 * resilient.layers.map((layer) => layer.kind) // => ["deadline", "retry", "circuit breaker", "attempt timeout"]
 * ```
 */
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as CircuitBreaker from "../breaker/CircuitBreaker.ts"
import type { AnyEffect } from "../core/internal/Combinator.ts"
import * as Rules from "../core/internal/Rules.ts"
import type * as Retry from "../policies/Retry.ts"
import type * as Timeout from "../policies/Timeout.ts"
import type { Config } from "./internal/PolicyConfig.ts"
import * as PolicyDescription from "./internal/PolicyDescription.ts"
import type { Description, Layer } from "./internal/PolicyDescription.ts"
import * as PolicyLayers from "./internal/PolicyLayers.ts"
import type { BreakerSlot, FallbackSlot, TimeoutSlot } from "./internal/PolicyLayers.ts"

export { Config, type ConfigJson } from "./internal/PolicyConfig.ts"
export type { Description, Layer } from "./internal/PolicyDescription.ts"
export type { BreakerSlot, FallbackSlot, Kind, TimeoutSlot } from "./internal/PolicyLayers.ts"

/**
 * Key that marks a policy.
 */
export const TypeId = "~effect-resilience/Policy"

/**
 * Type of the key that marks a policy.
 */
export type TypeId = typeof TypeId

/**
 * Function from effect to effect that adds protections.
 *
 * **Details**
 *
 * `A2`, `E2` and `R2` are the values, errors and services that it adds, and
 * `EIn` are the errors that the effect may have. `Catches` are the tags of the
 * effect's errors that it answers, or `true` where it answers all of them.
 */
export interface Policy<
  out A2 = never,
  out E2 = never,
  out R2 = never,
  in EIn = unknown,
  in Catches extends string | true = never
> {
  <A, E extends EIn, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A | A2, Uncaught<E, Catches> | E2, R | R2>
  readonly [TypeId]: TypeId
  /** Layers of the policy, outermost first. */
  readonly layers: ReadonlyArray<Layer>
}

/**
 * Policy of any type.
 */
export type Any = Policy<unknown, unknown, unknown, never>

/**
 * Errors of `E` that are left where those that `Catches` names are answered.
 */
export type Uncaught<E, Catches> = [Catches] extends [never]
  ? E
  : true extends Catches
    ? never
    : Exclude<E, { readonly _tag: Catches }>

const module = "Policy"

const layersOf = /* @__PURE__ */ new WeakMap<Any, ReadonlyArray<PolicyLayers.ResolvedLayer>>()

// The functions that call it say what the layers add.
const fromLayers = (layers: ReadonlyArray<PolicyLayers.ResolvedLayer>): never => {
  layers.forEach((layer, i) => {
    if (layers.slice(0, i).some((other) => PolicyLayers.isSame(layer, other))) {
      Rules.reject(module, `layers.${i}`, layer.kind, "a layer that the policy does not have yet")
    }
  })
  const inwards = layers.map(({ apply }) => apply).reverse()
  const policy = (self: AnyEffect): AnyEffect => {
    let effect = self
    for (const apply of inwards) effect = apply(effect)
    return effect
  }
  let described: ReadonlyArray<Layer> | undefined
  const made = Object.defineProperties(policy, {
    [TypeId]: { value: TypeId },
    // Most policies are never described.
    layers: { get: () => (described ??= layers.map(PolicyDescription.layer)) }
  }) as never
  layersOf.set(made, layers)
  return made
}

/**
 * Returns whether a value is a policy.
 */
export const isPolicy = (u: unknown): u is Any => layersOf.has(u as Any) // a WeakMap holds only objects

/**
 * Policy that changes nothing.
 */
export const identity: Policy = /* @__PURE__ */ fromLayers([])

/**
 * Policy that a `FallbackSlot` makes.
 */
export type FallbackPolicy<E, A2, E2, R2, Tag extends string> = [Tag] extends [never]
  ? Policy<A2, E2, R2, E, true>
  : // Unknown tags answer no error for certain.
    Policy<A2, E2, R2, unknown, string extends Tag ? never : Tag>

/**
 * Creates the policy of one `Fallback.orElse`.
 *
 * **Example** (Answering some errors)
 *
 * ```ts
 * import { Data, Effect } from "effect"
 * import { Policy } from "effect-resilience"
 *
 * class NotFound extends Data.TaggedError("NotFound")<{}> {}
 * class Unavailable extends Data.TaggedError("Unavailable")<{}> {}
 *
 * const cached = Policy.fallback({ orElse: () => Effect.succeed("cached"), if: "Unavailable" })
 *
 * const load = (error: NotFound | Unavailable) => Effect.fail(error).pipe(cached, Effect.catchTag("NotFound", (e) => Effect.succeed(e._tag)))
 *
 * await Effect.runPromise(load(new Unavailable())) // => "cached"
 * await Effect.runPromise(load(new NotFound())) // => "NotFound"
 * ```
 */
export const fallback = <E, A2, E2, R2, const Tag extends string = never>(
  orElse: FallbackSlot<E, A2, E2, R2, Tag> & TakesTags<E, Tag>
): NoInfer<FallbackPolicy<E, A2, E2, R2, Tag>> => fromLayers([PolicyLayers.fallbackLayer(orElse)])

/**
 * Creates the policy of one `Timeout.timeout`.
 */
export const timeout = (after: Duration.Input | Timeout.Options): Policy<never, Timeout.TimeoutExceededError> =>
  fromLayers([PolicyLayers.timeoutLayer("timeout", after)])

/**
 * Creates the policy of one `Retry.retry`.
 */
export const retry = <E = unknown, SE = never, SR = never, OR = never>(
  options: Retry.Options<E, SE, SR, OR> = {}
): NoInfer<Policy<never, SE, SR | OR, E>> =>
  // The result says which errors the options take and add.
  fromLayers([PolicyLayers.retryLayer(options as Retry.Options)])

/**
 * Creates the policy of one `CircuitBreaker.protect`.
 */
export const circuitBreaker = <I = never, E = unknown>(
  breaker: BreakerSlot<CircuitBreaker.Source<I>, E>
): NoInfer<Policy<never, CircuitBreaker.CircuitOpenError, I, E>> =>
  // The result says which errors the options take.
  fromLayers([PolicyLayers.breakerLayer(breaker as BreakerSlot<CircuitBreaker.Source<I>>)])

/**
 * Type of two policies composed, the first outermost.
 */
export type Join<Outer, Inner> =
  Outer extends Policy<infer A1, infer E1, infer R1, infer I1, infer C1>
    ? Inner extends Policy<infer A2, infer E2, infer R2, infer I2, infer C2>
      ? Policy<A1 | A2, E1 | Uncaught<E2, C1>, R1 | R2, I2 & Reaching<I1, C2>, C1 | C2>
      : never
    : never

// Errors that do not reach the outer policy may be any.
type Reaching<I, Caught> = [Caught] extends [never] ? I : true extends Caught ? unknown : I | { readonly _tag: Caught }

/**
 * Type of several policies composed, the first outermost.
 */
export type Composed<Policies extends ReadonlyArray<unknown>> = Policies extends readonly [infer P, ...infer Rest]
  ? Rest extends readonly []
    ? P
    : Join<P, Composed<Rest>>
  : number extends Policies["length"]
    ? // It is not known whether there are any.
      [Policies[number]] extends [Policy<infer A2, infer E2, infer R2, infer EIn, infer _>]
      ? Policy<A2, E2, R2, EIn>
      : never
    : Policy

/**
 * Type in the compiler's error about a policy that does not take errors of type
 * `E`.
 */
export interface DoesNotTake<out E> {
  readonly "this does not take errors that come from inside": E
}

type Takes<Outer, Inner> =
  Outer extends Policy<infer _A1, infer _E1, infer _R1, infer EIn, infer _C1>
    ? Inner extends Policy<infer _A2, infer E2, infer _R2, infer _I2, infer _C2>
      ? [Exclude<E2, EIn>] extends [never]
        ? unknown
        : DoesNotTake<Exclude<E2, EIn>>
      : never
    : never

type TakesTags<E, Tag extends string> = [Tag] extends [never]
  ? unknown
  : { readonly _tag: Tag } extends E
    ? unknown
    : DoesNotTake<{ readonly _tag: Tag }>

type TakeAll<Policies extends ReadonlyArray<unknown>> = Policies extends readonly [infer P, ...infer Rest]
  ? readonly [Takes<P, Composed<Rest>>, ...TakeAll<Rest>]
  : ReadonlyArray<unknown>

/**
 * Composes policies, the first outermost.
 *
 * **Details**
 *
 * Without arguments it is `identity`. A policy whose functions do not take the
 * errors that those inside it add is a type error. Throws an `InvalidOptionError`
 * where a layer occurs twice: the same function as fallback, the same circuit,
 * or timeouts and retries whose options are equal.
 *
 * **Example** (A breaker that sees one outcome for all attempts)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { CircuitBreaker, Policy, TripPolicy } from "effect-resilience"
 *
 * const program = Effect.gen(function*() {
 *   const breaker = yield* CircuitBreaker.make("search", { trip: TripPolicy.consecutive(2) })
 *   const policy = Policy.compose(Policy.circuitBreaker(breaker), Policy.retry({ maxAttempts: 2 }))
 *   yield* Effect.flip(Effect.fail("unavailable").pipe(policy))
 *   const { counts } = yield* breaker.status
 *   return counts.failures
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => 1
 * ```
 */
export const compose = <const Policies extends ReadonlyArray<Any>>(
  ...policies: Policies & TakeAll<Policies>
): Composed<Policies> =>
  fromLayers(
    policies.flatMap((policy, i) => layersOf.get(policy) ?? Rules.reject(module, `policies.${i}`, policy, "a policy"))
  )

/**
 * Options of `make`: the layers. All are optional, and none has a default. Each
 * takes the options of its module.
 */
export interface Slots<FE, A2, E2, R2, Tag extends string, Deadline, RE, SE, SR, OR, Breaker, BE, Attempt> {
  /** Answer to the errors that are left. */
  readonly fallback?: FallbackSlot<FE, A2, E2, R2, Tag> | undefined
  /** Time limit of everything inside the fallback. */
  readonly deadline?: TimeoutSlot<Deadline> | undefined
  /** Options of the retry. */
  readonly retry?: Retry.Options<RE, SE, SR, OR> | undefined
  /** Circuit breaker around each attempt. */
  readonly breaker?: BreakerSlot<Breaker, BE> | undefined
  /** Time limit of each attempt. */
  readonly attemptTimeout?: TimeoutSlot<Attempt> | undefined
}

// Asks for nothing, and lets the type of an argument be inferred.
type Seen<T> = T extends never ? T : unknown

type FallbackLayer<Given, E, A2, E2, R2, Tag extends string> = Given extends { readonly fallback?: unknown }
  ? [Given["fallback"]] extends [undefined]
    ? Policy
    : [undefined] extends [Given["fallback"]]
      ? // One that may be absent adds its types all the same, and answers no error for certain.
        Policy<A2, E2, R2, E>
      : FallbackPolicy<E, A2, E2, R2, Tag>
  : Policy

type TimeoutLayer<After> = [After] extends [undefined] ? Policy : Policy<never, Timeout.TimeoutExceededError>

type BreakerLayer<Breaker, E> = [Breaker] extends [undefined]
  ? Policy
  : Policy<
      never,
      CircuitBreaker.CircuitOpenError,
      Breaker extends Context.Key<infer I, CircuitBreaker.CircuitBreaker> ? I : never,
      E
    >

/**
 * Creates a policy whose layers are in the canonical order.
 *
 * **Details**
 *
 * Functions of a slot whose parameter has a type get errors of that type only:
 * errors that the slots inside it add have to be in it, and so have those of the
 * effect that the policy is used with. Throws an `InvalidOptionError` that names
 * the slot for a bad option of any layer.
 *
 * **Example** (Answering a circuit that is open)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { CircuitBreaker, Policy } from "effect-resilience"
 *
 * const program = Effect.gen(function*() {
 *   const breaker = yield* CircuitBreaker.make("prices")
 *   const policy = Policy.make({
 *     fallback: { orElse: () => Effect.succeed("cached"), if: "CircuitOpenError" },
 *     breaker: { source: breaker, key: "eu" }
 *   })
 *   yield* CircuitBreaker.holdOpen(breaker, { key: "eu" })
 *   return yield* Effect.succeed("fresh").pipe(policy)
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => "cached"
 * ```
 */
export const make = <
  Given = {},
  FE = unknown,
  A2 = never,
  E2 = never,
  R2 = never,
  const Tag extends string = never,
  Deadline extends Duration.Input | undefined = undefined,
  RE = unknown,
  SE = never,
  SR = never,
  OR = never,
  Breaker extends CircuitBreaker.Source<unknown> | undefined = undefined,
  BE = unknown,
  Attempt extends Duration.Input | undefined = undefined,
  Stack extends ReadonlyArray<unknown> = [
    FallbackLayer<Given, FE, A2, E2, R2, Tag>,
    TimeoutLayer<Deadline>,
    Policy<never, SE, SR | OR, RE>,
    BreakerLayer<Breaker, BE>,
    TimeoutLayer<Attempt>
  ]
>(
  slots: Slots<FE, A2, E2, R2, Tag, Deadline, RE, SE, SR, OR, Breaker, BE, Attempt> &
    Seen<Given> & {
      readonly fallback?: TakesTags<FE, Tag> & TakeAll<Stack>[0]
      readonly retry?: TakeAll<Stack>[2]
      readonly breaker?: TakeAll<Stack>[3]
    }
): Composed<Stack> => fromLayers(PolicyLayers.slotLayers(slots))

/**
 * Describes a policy: as text (the default), as a Mermaid flowchart, or as data
 * for JSON.
 *
 * **Details**
 *
 * Holds every parameter, defaults too. Durations are in milliseconds. It takes a
 * policy and not its slots, because `compose` makes orders that no slots have.
 *
 * **Example** (Printing a policy)
 *
 * ```ts
 * import { Policy } from "effect-resilience"
 *
 * const policy = Policy.make({ attemptTimeout: "1 second", deadline: { after: "5 seconds", operation: "search" } })
 * const lines = Policy.describe(policy).split("\n")
 * lines // => ["deadline: after=5000, operation=search", "└─ attempt timeout: after=1000, operation=none", "   └─ call"]
 * ```
 */
export const describe: {
  (policy: Any, format?: "text" | "mermaid"): string
  (policy: Any, format: "json"): Description
} = (policy: Any, format: "text" | "mermaid" | "json" = "text"): never =>
  // The overloads say which format is which type.
  PolicyDescription.describe(policy.layers, format) as never

/**
 * Creates the policy that a configuration describes, with a breaker of its own.
 *
 * **Details**
 *
 * The breaker is that of `CircuitBreaker.make`: it is registered for as long as
 * the scope is open where `CircuitBreakers` is in the context. Throws an
 * `InvalidOptionError` for a bad option, which a decoded configuration does not
 * have.
 *
 * **Example** (A policy from JSON)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Policy } from "effect-resilience"
 *
 * const program = Effect.gen(function*() {
 *   const config = yield* Schema.decodeUnknownEffect(Policy.Config)({
 *     attemptTimeout: "2 seconds",
 *     breaker: { name: "payments", options: { openFor: "10 seconds" } },
 *     retry: { maxAttempts: 2 }
 *   })
 *   const policy = yield* Policy.fromConfig(config)
 *   return yield* Effect.succeed("charged").pipe(policy)
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => "charged"
 * ```
 */
export const fromConfig = (
  config: Config
): Effect.Effect<Policy<never, Timeout.TimeoutExceededError | CircuitBreaker.CircuitOpenError>, never, Scope.Scope> => {
  const { breaker, ...slots } = config
  const layers = PolicyLayers.slotLayers(slots)
  return breaker === undefined
    ? Effect.succeed(fromLayers(layers))
    : Effect.map(CircuitBreaker.make(breaker.name, breaker.options), (made) =>
        // Which slots there are is not in the type, so the errors of all of them are.
        fromLayers(PolicyLayers.withBreaker(layers, made))
      )
}
