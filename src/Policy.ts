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
import type * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as CircuitBreaker from "./CircuitBreaker.ts"
import * as Fallback from "./Fallback.ts"
import * as Rules from "./Options.ts"
import * as Retry from "./Retry.ts"
import * as Timeout from "./Timeout.ts"

/**
 * Key that marks a policy.
 */
export const TypeId = "~effect-resilience/Policy"

/**
 * Kind of a layer of a policy.
 */
export type Kind = "fallback" | "deadline" | "retry" | "circuit breaker" | "attempt timeout" | "timeout"

/**
 * One layer of a policy, as data.
 */
export interface Layer {
  readonly kind: Kind
  /** Parameters with all defaults. Durations are in milliseconds. */
  readonly parameters: Rules.Json
}

/**
 * Function from effect to effect that adds protections.
 *
 * **Details**
 *
 * `A2`, `E2` and `R2` are the values, errors and services that it adds, `EIn`
 * are the errors that the effect may have, and `Catches` says whether the
 * effect's own errors are caught.
 */
export interface Policy<
  out A2 = never,
  out E2 = never,
  out R2 = never,
  in EIn = unknown,
  out Catches extends boolean = false
> {
  <A, E extends EIn, R>(
    self: Effect.Effect<A, E, R>
  ): Effect.Effect<A | A2, (Catches extends true ? never : E) | E2, R | R2>
  readonly [TypeId]: typeof TypeId
  /** Layers of the policy, outermost first. */
  readonly layers: ReadonlyArray<Layer>
}

/**
 * Policy of any type.
 */
export type Any = Policy<unknown, unknown, unknown, never, boolean>

type AnyEffect = Effect.Effect<unknown, unknown, unknown>

interface Part extends Layer {
  // What tells two layers with equal parameters apart.
  readonly identity: unknown
  readonly apply: (self: AnyEffect) => AnyEffect
}

const parts = new WeakMap<Any, ReadonlyArray<Part>>()

// The functions that call it say what the layers add.
const fromParts = (layers: ReadonlyArray<Part>): never => {
  layers.forEach((layer, i) => {
    if (layers.slice(0, i).some((other) => isSame(layer, other))) {
      Rules.reject("Policy", "layers", layer.kind, "different from every other layer, but one stands twice")
    }
  })
  const inwards = layers.map(({ apply }) => apply).reverse()
  const policy = Object.assign(
    (self: AnyEffect): AnyEffect => {
      let effect = self
      for (const apply of inwards) effect = apply(effect)
      return effect
    },
    { [TypeId]: TypeId, layers: layers.map(({ kind, parameters }): Layer => ({ kind, parameters })) }
  )
  parts.set(policy as never, layers)
  return policy as never
}

const isSame = (a: Part, b: Part): boolean =>
  a.kind === b.kind && a.identity === b.identity && JSON.stringify(a.parameters) === JSON.stringify(b.parameters)

/**
 * Policy that changes nothing.
 */
export const identity: Policy = /* @__PURE__ */ (() => fromParts([]) as Policy)()

/**
 * Creates the policy of one `Fallback.orElse`.
 */
export const fallback = <E, A2, E2, R2>(orElse: (error: E) => Effect.Effect<A2, E2, R2>): Policy<A2, E2, R2, E, true> =>
  fromParts([
    {
      kind: "fallback",
      parameters: {},
      identity: orElse,
      // The type of the policy asks that the effect has no other errors.
      apply: Fallback.orElse(orElse as (error: unknown) => Effect.Effect<A2, E2, R2>) as Part["apply"]
    }
  ])

const timed = (kind: Kind, after: Duration.Input | Timeout.Options): Policy<never, Timeout.TimeoutExceededError> => {
  const settings = Timeout.resolve(after)
  const apply = Timeout.timeout(settings)
  return fromParts([
    { kind, parameters: { ...settings, after: Duration.toMillis(settings.after) }, identity: undefined, apply }
  ])
}

/**
 * Creates the policy of one `Timeout.timeout`.
 */
export const timeout = (after: Duration.Input | Timeout.Options): Policy<never, Timeout.TimeoutExceededError> =>
  timed("timeout", after)

/**
 * Creates the policy of one `Retry.retry`.
 */
export const retry = <E = unknown, SE = never, SR = never, OR = never>(
  options?: Retry.Options<E, SE, SR, OR>
): Policy<never, SE, SR | OR, E> =>
  fromParts([
    {
      kind: "retry",
      parameters: { ...Retry.describe(options) },
      identity: undefined,
      apply: Retry.retry(options as Retry.Options) // the type of the policy says what the options add
    }
  ])

/**
 * Circuit breaker of a policy: a breaker or its class, or one with options.
 */
export type BreakerSlot<I = unknown> =
  | CircuitBreaker.Source<I>
  | (CircuitBreaker.ProtectOptions<unknown, unknown> & { readonly source: CircuitBreaker.Source<I> })

/**
 * Creates the policy of one `CircuitBreaker.protect`.
 */
export const circuitBreaker = <I = never>(
  breaker: BreakerSlot<I>
): Policy<never, CircuitBreaker.CircuitOpenError, I> => {
  const { source, ...options } = CircuitBreaker.isSource(breaker) ? { source: breaker } : breaker
  return fromParts([
    {
      kind: "circuit breaker",
      parameters: CircuitBreaker.describe(source, options),
      identity: source,
      apply: CircuitBreaker.protect(source, options) as Part["apply"]
    }
  ])
}

/**
 * Returns the policy of several, the first outermost.
 *
 * **Details**
 *
 * Of no policy it is `identity`. Throws an `InvalidOptionError` where the same
 * layer stands twice.
 */
export const compose: {
  (): Policy
  <P extends Any>(policy: P): P
  <A1, E1, R1, I1, C1 extends boolean, A2, E2 extends I1, R2, I2, C2 extends boolean>(
    outer: Policy<A1, E1, R1, I1, C1>,
    inner: Policy<A2, E2, R2, I2, C2>
  ): Composed<A1, E1, R1, I1, C1, A2, E2, R2, I2, C2>
  <P1 extends Any, P2 extends Any, P3 extends Any>(first: P1, second: P2, third: P3): Join<P1, Join<P2, P3>>
  <P1 extends Any, P2 extends Any, P3 extends Any, P4 extends Any>(
    first: P1,
    second: P2,
    third: P3,
    fourth: P4
  ): Join<P1, Join<P2, Join<P3, P4>>>
  <P1 extends Any, P2 extends Any, P3 extends Any, P4 extends Any, P5 extends Any>(
    first: P1,
    second: P2,
    third: P3,
    fourth: P4,
    fifth: P5
  ): Join<P1, Join<P2, Join<P3, Join<P4, P5>>>>
  <P1 extends Any, P2 extends Any, P3 extends Any, P4 extends Any, P5 extends Any, P6 extends Any>(
    first: P1,
    second: P2,
    third: P3,
    fourth: P4,
    fifth: P5,
    sixth: P6
  ): Join<P1, Join<P2, Join<P3, Join<P4, Join<P5, P6>>>>>
} = (...policies: ReadonlyArray<Any>): never => fromParts(policies.flatMap((policy) => parts.get(policy) ?? []))

/**
 * Type of the policy that two make, the first outermost.
 */
export type Composed<A1, E1, R1, I1, C1 extends boolean, A2, E2, R2, I2, C2 extends boolean> = Policy<
  A1 | A2,
  E1 | (C1 extends true ? never : E2),
  R1 | R2,
  // Errors that the inner policy catches do not reach the outer one.
  C2 extends true ? I2 : I1 & I2,
  C1 extends true ? true : C2
>

/**
 * Type of the policy that two make, the first outermost.
 */
export type Join<P1, P2> =
  P1 extends Policy<infer A1, infer E1, infer R1, infer I1, infer C1>
    ? P2 extends Policy<infer A2, infer E2, infer R2, infer I2, infer C2>
      ? [E2] extends [I1]
        ? Composed<A1, E1, R1, I1, C1, A2, E2, R2, I2, C2>
        : "the outer policy does not take the errors that the inner one adds"
      : never
    : never

/**
 * Layers of `make`. All are optional.
 */
export interface Slots {
  /** Answers whatever is left of the errors. */
  fallback?(error: unknown): AnyEffect
  /** How long everything may take. */
  readonly deadline?: Duration.Input | Timeout.Options | undefined
  /** When an attempt is made again. */
  readonly retry?: Retry.Options<unknown, unknown, unknown, unknown> | undefined
  /** Which circuit guards each attempt. */
  readonly breaker?: BreakerSlot | undefined
  /** How long one attempt may take. */
  readonly attemptTimeout?: Duration.Input | Timeout.Options | undefined
}

type TimeoutOf<T> = T extends undefined ? never : Timeout.TimeoutExceededError
type Slot<S, K extends string> = S extends { readonly [_ in K]?: infer T } ? T : undefined
type BackoffOf<T> = T extends { readonly backoff: Schedule.Schedule<infer _A, infer _I, infer E, infer R> }
  ? [E, R]
  : [never, never]
type OnRetryOf<T> = T extends { readonly onRetry: (...args: infer _Args) => Effect.Effect<infer _A, infer _E, infer R> }
  ? R
  : never
type SourceOf<T> = T extends { readonly source: infer S } ? S : T
type IdentifierOf<T> = SourceOf<T> extends Context.Key<infer I, CircuitBreaker.CircuitBreaker> ? I : never
type FallbackOf<T> = T extends (error: infer E) => Effect.Effect<infer A2, infer E2, infer R2>
  ? { readonly in: E; readonly value: A2; readonly error: E2; readonly services: R2; readonly catches: true }
  : {
      readonly in: unknown
      readonly value: never
      readonly error: never
      readonly services: never
      readonly catches: false
    }

type AddedErrors<S> =
  | TimeoutOf<Slot<S, "deadline">>
  | TimeoutOf<Slot<S, "attemptTimeout">>
  | BackoffOf<Slot<S, "retry">>[0]
  | (Slot<S, "breaker"> extends undefined ? never : CircuitBreaker.CircuitOpenError)

/**
 * Type of the policy that `make` makes of slots.
 */
export type Made<
  S,
  F extends FallbackOf<unknown> | FallbackOf<never> | object = FallbackOf<Slot<S, "fallback">>
> = F extends {
  readonly in: infer In
  readonly value: infer A2
  readonly error: infer E2
  readonly services: infer R2
  readonly catches: infer Catches extends boolean
}
  ? Policy<
      A2,
      Catches extends true ? E2 : AddedErrors<S>,
      R2 | BackoffOf<Slot<S, "retry">>[1] | OnRetryOf<Slot<S, "retry">> | IdentifierOf<Slot<S, "breaker">>,
      In,
      Catches
    >
  : never

/**
 * Creates a policy whose layers are in the canonical order.
 *
 * **Details**
 *
 * Throws an `InvalidOptionError` for a bad option of any layer.
 */
export const make = <const S extends Slots>(
  slots: S & { readonly [K in Exclude<keyof S, keyof Slots>]: never }
): Made<S> => {
  const known = ["fallback", "deadline", "retry", "breaker", "attemptTimeout"]
  Rules.keys("Policy", { ...slots }, known)
  const { attemptTimeout, breaker, deadline, fallback: orElse, retry: retries } = slots
  const layers: ReadonlyArray<Any | undefined> = [
    orElse === undefined ? undefined : fallback(orElse),
    deadline === undefined ? undefined : timed("deadline", deadline),
    retries === undefined ? undefined : retry(retries),
    breaker === undefined ? undefined : circuitBreaker(breaker),
    attemptTimeout === undefined ? undefined : timed("attempt timeout", attemptTimeout)
  ]
  return fromParts(layers.flatMap((layer) => (layer === undefined ? [] : (parts.get(layer) ?? []))))
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
 * **Example** (Printing a policy)
 *
 * ```ts
 * import { Policy } from "effect-resilience"
 *
 * const policy = Policy.make({ attemptTimeout: "1 second", deadline: "5 seconds" })
 * const lines = Policy.describe(policy).split("\n")
 * lines // => ["deadline: after=5000", "└─ attempt timeout: after=1000", "   └─ call"]
 * ```
 */
export const describe: {
  (policy: Any, format?: "text" | "mermaid"): string
  (policy: Any, format: "json"): Description
} = (policy: Any, format: "text" | "mermaid" | "json" = "text"): never => {
  const description: Description = { layers: policy.layers, warnings: warnings(policy.layers) }
  // The overloads say which format is which type.
  return (format === "json" ? description : format === "mermaid" ? mermaid(description) : text(description)) as never
}

const lines = (parameters: Rules.Json, prefix = ""): ReadonlyArray<string> =>
  Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined
      ? []
      : typeof value === "object" && value !== null && !Array.isArray(value)
        ? lines(value as Rules.Json, `${prefix}${name}.`)
        : [`${prefix}${name}=${typeof value === "string" ? value : JSON.stringify(value)}`]
  )

const title = ({ kind, parameters }: Layer): string => {
  const all = lines(parameters)
  return all.length === 0 ? kind : `${kind}: ${all.join(", ")}`
}

const text = ({ layers, warnings }: Description): string =>
  [
    ...[...layers.map(title), "call"].map((line, depth) =>
      depth === 0 ? line : `${"   ".repeat(depth - 1)}└─ ${line}`
    ),
    ...warnings.map((warning) => `warning: ${warning}`)
  ].join("\n")

const mermaid = ({ layers, warnings }: Description): string => {
  const quoted = (line: string) => `"${line.replaceAll('"', "#quot;")}"`
  const label = (layer: Layer) => [layer.kind, ...lines(layer.parameters)].join("<br/>")
  return [
    "flowchart LR",
    ...[...layers.map(label), "call"].map((line, i) => `  l${i}[${quoted(line)}]`),
    ...layers.map((_, i) => `  l${i} --> l${i + 1}`),
    ...warnings.map((warning) => `  %% warning: ${warning}`)
  ].join("\n")
}

const warnings = (layers: ReadonlyArray<Layer>): ReadonlyArray<string> => {
  const found: Array<string> = []
  const isTimeout = ({ kind }: Layer) => kind === "timeout" || kind === "deadline" || kind === "attempt timeout"
  layers.forEach((layer, i) => {
    const outside = layers.slice(0, i)
    const inside = layers.slice(i + 1)
    const around = (kind: Kind) => outside.some((other) => other.kind === kind)
    switch (layer.kind) {
      case "fallback": {
        const hidden = outside
          .filter(({ kind }) => kind === "retry" || kind === "circuit breaker")
          .map(({ kind }) => kind)
        if (hidden.length > 0) {
          found.push(`the fallback inside the ${hidden.join(" and the ")} hides every failure from it`)
        }
        break
      }
      case "retry":
        if (around("circuit breaker")) {
          found.push(
            "the retry inside the circuit breaker goes on against a dependency that fails, and the breaker sees one outcome for all attempts"
          )
        }
        if (around("retry")) found.push("a retry inside a retry multiplies the attempts")
        break
      case "circuit breaker":
        if (outside.some(isTimeout) && !inside.some(isTimeout)) {
          found.push(
            "a timeout outside the circuit breaker interrupts the call, which the breaker ignores unless it counts slow calls"
          )
        }
        break
      default: {
        const after = Number(layer.parameters["after"])
        for (const other of outside.filter(isTimeout)) {
          if (after >= Number(other.parameters["after"])) {
            found.push(`the ${layer.kind} never ends before the ${other.kind} around it`)
          }
        }
      }
    }
  })
  return found
}

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
 * Schema of a policy in JSON. A bad option is a `SchemaError` with its path.
 */
export const Config: Schema.Codec<Config, Rules.Json> = /* @__PURE__ */ (() => {
  const after = Schema.optionalKey(Schema.Union([Rules.DurationInput, Timeout.Config]))
  return Rules.struct({
    deadline: after,
    retry: Schema.optionalKey(Retry.Config),
    breaker: Schema.optionalKey(
      Rules.checked(
        Rules.struct({ name: Schema.String, options: Schema.optionalKey(CircuitBreaker.Config) }),
        ({ name }) => Rules.name("Policy", "name", name)
      )
    ),
    attemptTimeout: after
  })
})()

/**
 * Creates the policy that a configuration describes, with a breaker of its own.
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
  // Which slots there are is not in the type, so all of their errors are.
  return breaker === undefined
    ? Effect.sync(() => make(slots))
    : Effect.map(CircuitBreaker.make(breaker.name, breaker.options), (made) => make({ ...slots, breaker: made }))
}
