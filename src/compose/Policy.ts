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
 * - `describe` says what a policy does, with every default, and warns of orders
 *   that hide failures.
 * - A policy holds no state of its own, so one can be used for many effects at
 *   the same time. The state of its breaker is the breaker's.
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
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { LazyArg } from "effect/Function"
import { hasProperty, isObject } from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as CircuitBreaker from "../breaker/CircuitBreaker.ts"
import type { AnyEffect } from "../core/internal/Combinator.ts"
import * as ConfigSchema from "../core/internal/ConfigSchema.ts"
import * as Rules from "../core/internal/Rules.ts"
import * as Backoff from "../policies/Backoff.ts"
import * as Fallback from "../policies/Fallback.ts"
import * as Retry from "../policies/Retry.ts"
import * as Timeout from "../policies/Timeout.ts"

/**
 * Key that marks a policy.
 */
export const TypeId = "~effect-resilience/Policy"

/**
 * Type of the key that marks a policy.
 */
export type TypeId = typeof TypeId

/**
 * Kind of a layer of a policy.
 */
export type Kind = "fallback" | "deadline" | "retry" | "circuit breaker" | "attempt timeout" | "timeout"

/**
 * One layer of a policy, as data.
 */
export interface Layer {
  readonly kind: Kind
  /** Parameters with all defaults, as JSON holds them. Durations are in milliseconds. */
  readonly parameters: Rules.Json
}

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

interface Part {
  readonly kind: Kind
  readonly parameters: LazyArg<Rules.Json>
  /** What is equal in two layers that are the same. */
  readonly identity: LazyArg<ReadonlyArray<unknown>>
  readonly apply: (self: AnyEffect) => AnyEffect
}

const parts = /* @__PURE__ */ new WeakMap<Any, ReadonlyArray<Part>>()

// The functions that call it say what the layers add.
const fromParts = (layers: ReadonlyArray<Part>): never => {
  layers.forEach((layer, i) => {
    if (layers.slice(0, i).some((other) => isSame(layer, other))) {
      Rules.reject("Policy", `layers.${i}`, layer.kind, "a layer that the policy does not have yet")
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
    layers: {
      get: () => (described ??= layers.map(({ kind, parameters }) => ({ kind, parameters: plain(parameters()) })))
    }
  }) as never
  parts.set(made, layers)
  return made
}

const isSame = (a: Part, b: Part): boolean => {
  if (a.kind !== b.kind) return false
  const others = b.identity()
  return a.identity().every((each, i) => Object.is(each, others[i]))
}

// Drops keys that hold `undefined`, which JSON does not have.
const plain = (parameters: Rules.Json): Rules.Json => JSON.parse(JSON.stringify(parameters)) as Rules.Json

/**
 * Returns whether a value is a policy.
 */
export const isPolicy = (u: unknown): u is Any => parts.has(u as Any) // a WeakMap has nothing that is no object

/**
 * Policy that changes nothing.
 */
export const identity: Policy = /* @__PURE__ */ fromParts([])

/**
 * Fallback of a policy: the function of `Fallback.orElse`, or that with
 * options.
 */
export type FallbackSlot<E, A2, E2, R2, Tag extends string> =
  | ((error: E) => Effect.Effect<A2, E2, R2>)
  | {
      readonly orElse: (error: E) => Effect.Effect<A2, E2, R2>
      /** Tags of the errors that are answered. Default: all errors. */
      readonly if?: Tag | ReadonlyArray<Tag> | undefined
      /** Name of the fallback in the span attribute. Default `"fallback"`. */
      readonly source?: string | undefined
    }

/**
 * Policy that a `FallbackSlot` makes.
 */
export type FallbackPolicy<E, A2, E2, R2, Tag extends string> = [Tag] extends [never]
  ? Policy<A2, E2, R2, E, true>
  : // Tags that are not known answer no error for certain.
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
): NoInfer<FallbackPolicy<E, A2, E2, R2, Tag>> => fromParts([fallbackPart(orElse)])

const fallbackPart = (slot: FallbackSlot<never, unknown, unknown, unknown, string>): Part => {
  const { orElse, ...given } = typeof slot === "object" && slot !== null ? slot : { orElse: slot }
  Rules.keys("Fallback", given, ["if", "source"])
  // The type of the policy says which errors the effect may have, and which of them are answered.
  const options = given as Fallback.Options
  const settings = Fallback.resolve(options)
  return {
    kind: "fallback",
    parameters: () => ({ ...settings }),
    identity: () => [orElse, JSON.stringify(settings)],
    apply: Fallback.orElse(orElse as (error: unknown) => AnyEffect, options)
  }
}

/**
 * Timeout of a policy: a duration, or options.
 */
export type TimeoutSlot<D> = D | (Timeout.Options & { readonly after: D })

const timeoutPart = (kind: Kind, slot: Duration.Input | Timeout.Options): Part => {
  const { after, operation } = Timeout.resolve(slot)
  const millis = Duration.toMillis(after)
  return {
    kind,
    parameters: () => ({ after: millis, operation: operation ?? "none" }),
    identity: () => [millis, operation],
    apply: Timeout.timeout({ after, operation })
  }
}

/**
 * Creates the policy of one `Timeout.timeout`.
 */
export const timeout = (after: Duration.Input | Timeout.Options): Policy<never, Timeout.TimeoutExceededError> =>
  fromParts([timeoutPart("timeout", after)])

/**
 * Creates the policy of one `Retry.retry`.
 */
export const retry = <E = unknown, SE = never, SR = never, OR = never>(
  options: Retry.Options<E, SE, SR, OR> = {}
): NoInfer<Policy<never, SE, SR | OR, E>> =>
  // The result says which errors the options take and add.
  fromParts([retryPart(options as Retry.Options)])

const retryPart = (options: Retry.Options): Part => {
  if (typeof options !== "object" || options === null) Rules.reject("Retry", "options", options, "an object")
  const { backoff, onRetry, retryAfter, while: matches } = options
  const parameters = () => ({ ...Retry.describe(options) })
  return {
    kind: "retry",
    parameters,
    identity: () => [
      JSON.stringify(parameters()),
      Backoff.isBackoff(backoff) ? undefined : backoff,
      typeof matches === "function" ? matches : undefined,
      retryAfter,
      onRetry
    ],
    apply: Retry.retry(options)
  }
}

/**
 * Circuit breaker of a policy: a breaker or its class, or that with options.
 */
export type BreakerSlot<B, E = unknown> = B | (CircuitBreaker.ProtectOptions<unknown, E> & { readonly source: B })

/**
 * Creates the policy of one `CircuitBreaker.protect`.
 */
export const circuitBreaker = <I = never, E = unknown>(
  breaker: BreakerSlot<CircuitBreaker.Source<I>, E>
): NoInfer<Policy<never, CircuitBreaker.CircuitOpenError, I, E>> =>
  // The result says which errors the options take.
  fromParts([breakerPart(breaker as BreakerSlot<CircuitBreaker.Source<I>>)])

const breakerPart = (slot: BreakerSlot<CircuitBreaker.Source<unknown>>): Part => {
  const { source, ...options } = hasSource(slot) ? slot : { source: slot }
  if (!CircuitBreaker.isSource(source)) Rules.reject("CircuitBreaker", "source", source, "a breaker or its class")
  Rules.keys("CircuitBreaker", { ...options }, ["key", "classify", "failureIf", "ignore", "retryAfter"])
  return {
    kind: "circuit breaker",
    parameters: () => CircuitBreaker.describe(source, options),
    // The same circuit twice would refuse its own probes, whatever the other options.
    identity: () => [source, "key" in options ? options.key : undefined],
    apply: CircuitBreaker.protect(source, options)
  }
}

const hasSource = <B>(slot: BreakerSlot<B>): slot is Exclude<BreakerSlot<B>, B> =>
  !CircuitBreaker.isSource(slot) && hasProperty(slot, "source")

/**
 * Type of the policy that two make, the first outermost.
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
 * Type of the policy that several make, the first outermost.
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
 * What a policy would have to be that takes errors of type `E`.
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
 * Returns the policy of several, the first outermost.
 *
 * **Details**
 *
 * Of no policy it is `identity`. A policy whose functions do not take the errors
 * that those inside it add is a type error. Throws an `InvalidOptionError` where
 * the same layer stands twice: the same function as fallback, the same circuit,
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
  fromParts(
    policies.flatMap((policy, i) => parts.get(policy) ?? Rules.reject("Policy", `policies.${i}`, policy, "a policy"))
  )

/**
 * Layers of `make`. All are optional, and one that is `undefined` is not there.
 */
export interface Slots<FE, A2, E2, R2, Tag extends string, Deadline, RE, SE, SR, OR, Breaker, BE, Attempt> {
  /** What answers the errors that are left. */
  readonly fallback?: FallbackSlot<FE, A2, E2, R2, Tag> | undefined
  /** How long everything inside the fallback may take. */
  readonly deadline?: TimeoutSlot<Deadline> | undefined
  /** When an attempt is made again. */
  readonly retry?: Retry.Options<RE, SE, SR, OR> | undefined
  /** Which circuit guards each attempt. */
  readonly breaker?: BreakerSlot<Breaker, BE> | undefined
  /** How long one attempt may take. */
  readonly attemptTimeout?: TimeoutSlot<Attempt> | undefined
}

// Asks for nothing, and lets the type of an argument be inferred.
type Seen<T> = T extends never ? T : unknown

type FallbackLayer<Given, E, A2, E2, R2, Tag extends string> = Given extends { readonly fallback?: unknown }
  ? [Given["fallback"]] extends [undefined]
    ? Policy
    : [undefined] extends [Given["fallback"]]
      ? // One that may not be there adds all the same, and answers no error for certain.
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
): Composed<Stack> => fromParts(slotParts(slots))

const slotNames = ["fallback", "deadline", "retry", "breaker", "attemptTimeout"] as const

type AnySlots = { readonly [Slot in (typeof slotNames)[number]]?: unknown }

// In the canonical order.
const slotParts = (slots: AnySlots): ReadonlyArray<Part> => {
  if (typeof slots !== "object" || slots === null) Rules.reject("Policy", "slots", slots, "an object")
  Rules.keys("Policy", { ...slots }, slotNames)
  // Each function checks what it is given, whatever the type.
  const part = (slot: keyof AnySlots, build: (given: never) => Part): ReadonlyArray<Part> => {
    const given = slots[slot]
    if (given === undefined) return []
    try {
      return [build(given as never)]
    } catch (error) {
      if (!(error instanceof Rules.InvalidOptionError)) throw error
      const field = Object.is(error.value, given) ? slot : `${slot}.${error.field}`
      throw new Rules.InvalidOptionError("Policy", field, error.value, error.rule)
    }
  }
  return [
    ...part("fallback", fallbackPart),
    ...part("deadline", (after) => timeoutPart("deadline", after)),
    ...part("retry", retryPart),
    ...part("breaker", breakerPart),
    ...part("attemptTimeout", (after) => timeoutPart("attempt timeout", after))
  ]
}

/**
 * What a policy does, as data.
 */
export interface Description {
  /** Layers with every parameter, outermost first. */
  readonly layers: ReadonlyArray<Layer>
  /** What about the order, or about the numbers together, is likely a mistake. */
  readonly warnings: ReadonlyArray<string>
}

/**
 * Says what a policy does: as text (the default), as a Mermaid flowchart, or as
 * data for JSON.
 *
 * **Details**
 *
 * Every parameter is there, defaults too. Durations are in milliseconds.
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
} = (policy: Any, format?: "text" | "mermaid" | "json"): never => {
  const { layers } = policy
  const warnings = warningsOf(layers)
  const description: Description = { layers, warnings: warnings.map(({ text }) => text) }
  // The overloads say which format is which type.
  return (
    format === "json" ? description : format === "mermaid" ? mermaid(layers, warnings) : text(description)
  ) as never
}

const lines = (parameters: object, prefix = ""): ReadonlyArray<string> =>
  Object.entries(parameters).flatMap(([name, value]: [string, unknown]) =>
    isObject(value) || (Array.isArray(value) && value.some(isObject))
      ? lines(value, `${prefix}${name}.`)
      : [`${prefix}${name}=${typeof value === "string" && isWord.test(value) ? value : JSON.stringify(value)}`]
  )

// What reads well without quotes.
const isWord = /^[\p{L}\p{N}._:/-]+(?: [\p{L}\p{N}._:/-]+)*$/u

const text = ({ layers, warnings }: Description): string =>
  [
    ...[...layers.map(title), "call"].map((line, depth) =>
      depth === 0 ? line : `${"   ".repeat(depth - 1)}└─ ${line}`
    ),
    ...warnings.map((warning) => `warning: ${warning}`)
  ].join("\n")

const title = ({ kind, parameters }: Layer): string => [kind, lines(parameters).join(", ")].join(": ")

const mermaid = (layers: ReadonlyArray<Layer>, warnings: ReadonlyArray<Warning>): string =>
  [
    "flowchart LR",
    ...layers.map(({ kind, parameters }, i) => `  l${i}[${label([kind, ...lines(parameters)])}]`),
    `  l${layers.length}[${label(["call"])}]`,
    ...layers.map((_, i) => `  l${i} --> l${i + 1}`),
    ...warnings.flatMap(({ layer, text }, i) => [`  w${i}>${label([`warning: ${text}`])}]`, `  w${i} -.- l${layer}`])
  ].join("\n")

// Mermaid reads quotes, markup, directives and entities also inside a label.
const label = (texts: ReadonlyArray<string>): string =>
  `"${texts.map((each) => each.replaceAll(/[^\p{L}\p{N} .,=_/()[\]-]/gu, (c) => `#${c.codePointAt(0)};`)).join("<br/>")}"`

interface Warning {
  readonly text: string
  /** Index of the layer that it is about. */
  readonly layer: number
}

const warningsOf = (layers: ReadonlyArray<Layer>): ReadonlyArray<Warning> =>
  layers.flatMap((layer, i) => warningsAbout(layer, layers.slice(0, i), layers.slice(i + 1), i))

const warningsAbout = (
  layer: Layer,
  outside: ReadonlyArray<Layer>,
  inside: ReadonlyArray<Layer>,
  index: number
): ReadonlyArray<Warning> => {
  const found: Array<Warning> = []
  const warn = (text: string) => found.push({ text, layer: index })
  const isAround = (kind: Kind) => outside.some((other) => other.kind === kind)
  switch (layer.kind) {
    case "fallback": {
      const blind = (["retry", "circuit breaker"] as const).filter(isAround)
      // Errors that are answered by name are meant to stop here.
      if (blind.length > 0 && layer.parameters["if"] === "all") {
        warn(
          `the fallback inside the ${blind.join(" and the ")} hides every failure from ${blind.length > 1 ? "them" : "it"}`
        )
      }
      break
    }
    case "retry":
      if (isAround("circuit breaker")) {
        warn("the retry inside the circuit breaker goes on while the dependency fails, and counts as one call")
      }
      if (isAround("retry")) warn("the retry inside a retry multiplies the attempts")
      break
    case "circuit breaker":
      if (outside.some(isTimeout) && !inside.some(isTimeout) && !countsSlowCalls(layer)) {
        warn(
          "the circuit breaker ignores calls that a timeout outside it interrupts: put a timeout inside, or count slow calls"
        )
      }
      break
    default:
      for (const other of outside) {
        // Only timeouts have that parameter.
        if (Number(layer.parameters["after"]) >= Number(other.parameters["after"])) {
          warn(`the ${layer.kind} is not shorter than the ${other.kind} around it, so it never ends first`)
        }
      }
  }
  return found
}

const isTimeout = ({ kind }: Layer): boolean => kind === "timeout" || kind === "deadline" || kind === "attempt timeout"

const countsSlowCalls = ({ parameters: { trip } }: Layer): boolean =>
  hasProperty(trip, "type") &&
  (trip.type === "slowCalls" ||
    (hasProperty(trip, "policies") &&
      Array.isArray(trip.policies) &&
      trip.policies.some((policy) => hasProperty(policy, "type") && policy.type === "slowCalls")))

/**
 * Slots of a policy in JSON: those of `make` but for the fallback, and a breaker
 * by its name and options.
 */
export interface Config {
  readonly deadline?: Duration.Duration | (typeof Timeout.Config)["Type"]
  readonly retry?: Retry.ConfigOptions
  readonly breaker?: { readonly name: string; readonly options?: CircuitBreaker.Config }
  readonly attemptTimeout?: Duration.Duration | (typeof Timeout.Config)["Type"]
}

/**
 * Policy as it stands in JSON.
 */
export interface ConfigJson {
  readonly deadline?: ConfigSchema.DurationJson | Timeout.ConfigJson
  readonly retry?: Retry.ConfigJson
  readonly breaker?: { readonly name: string; readonly options?: CircuitBreaker.ConfigJson }
  readonly attemptTimeout?: ConfigSchema.DurationJson | Timeout.ConfigJson
}

/**
 * Schema of a policy in JSON, or in the environment through `Config.schema` of
 * Effect. A bad option is a `SchemaError` with its path.
 */
export const Config: Schema.Codec<Config, ConfigJson> = /* @__PURE__ */ (() => {
  const after = Schema.optionalKey(Schema.Union([ConfigSchema.DurationInput, Timeout.Config]))
  return ConfigSchema.checked(
    ConfigSchema.struct({
      deadline: after,
      retry: Schema.optionalKey(Retry.Config),
      breaker: Schema.optionalKey(
        ConfigSchema.checked(
          ConfigSchema.struct({ name: Schema.String, options: Schema.optionalKey(CircuitBreaker.Config) }),
          ({ name }) => Rules.name("Policy", "name", name)
        )
      ),
      attemptTimeout: after
    }),
    ({ breaker: _, ...slots }: Config) => slotParts(slots)
  )
})()

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
  // Which slots there are is not in the type, so the errors of all of them are.
  const policy = (made?: CircuitBreaker.CircuitBreaker) => make({ ...slots, breaker: made })
  const withoutBreaker = policy()
  return breaker === undefined
    ? Effect.succeed(withoutBreaker)
    : Effect.map(CircuitBreaker.make(breaker.name, breaker.options), policy)
}
