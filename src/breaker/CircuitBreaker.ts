/**
 * Circuit breakers: calls to a dependency that fails are refused for a while,
 * so that callers do not wait for it and it can recover.
 *
 * **Details**
 *
 * - Closed: calls run, and the trip policy decides when the circuit opens.
 * - Open: calls fail with `CircuitOpenError` until `openFor` is over.
 * - Half-open: some calls run as probes and the rest are refused. The outcomes
 *   of the probes close the circuit or open it again. A probe that is
 *   interrupted or ignored gives its permit back.
 * - Held open, held closed: an operator's, until released.
 * - A breaker never waits and runs no fiber: an open circuit becomes half-open
 *   with the first call after its time. Outcomes of calls that were admitted
 *   before a change of state are counted and change nothing else.
 * - `Service` makes a breaker that services get from a layer, `make` one
 *   without a tag. With a `key`, a breaker is one circuit a key.
 *
 * **Gotchas**
 *
 * - Put timeouts inside the breaker. One outside interrupts the call, which is
 *   ignored unless the trip policy counts slow calls.
 * - Put retries outside: they see each refusal, and do not retry it.
 *
 * **Example** (Refusing calls after failures)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { CircuitBreaker, TripPolicy } from "effect-resilience"
 *
 * class Payments extends CircuitBreaker.Service<Payments>()("payments", {
 *   trip: TripPolicy.consecutive(2),
 *   openFor: "30 seconds"
 * }) {}
 *
 * const charge = Effect.fail("unavailable").pipe(CircuitBreaker.protect(Payments))
 *
 * const program = Effect.gen(function*() {
 *   yield* Effect.flip(charge)
 *   yield* Effect.flip(charge)
 *   return yield* charge.pipe(
 *     Effect.catchTag("CircuitOpenError", (refused) => Effect.succeed(`refused by ${refused.breaker}`))
 *   )
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide(Payments.layer))) // => "refused by payments"
 * ```
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { hasProperty } from "effect/Predicate"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type * as Operation from "../circuit/internal/Operation.ts"
import type { AnyEffect } from "../core/internal/Combinator.ts"
import * as Rules from "../core/internal/Rules.ts"
import * as Outcome from "../core/Outcome.ts"
import * as CircuitStore from "../store/CircuitStore.ts"
import * as CircuitBreakers from "./CircuitBreakers.ts"
import * as Breaker from "./internal/Breaker.ts"
import * as BreakerOptions from "./internal/BreakerOptions.ts"
import * as Circuit from "./internal/Circuit.ts"
import type * as CircuitChange from "./internal/CircuitChange.ts"
import { CircuitOpenError } from "./internal/CircuitOpenError.ts"
import type * as CircuitStatus from "./internal/CircuitStatus.ts"
import * as Operations from "./internal/Operations.ts"
import * as SharedCircuit from "./internal/SharedCircuit.ts"

export type { Breaker as CircuitBreaker } from "./internal/Breaker.ts"
export { Config, defaults, resolve } from "./internal/BreakerOptions.ts"
export type {
  ConfigJson,
  Description,
  HalfOpenOptions,
  KeysOptions,
  Options,
  Resolved
} from "./internal/BreakerOptions.ts"
export type { LastFailure } from "./internal/Circuit.ts"
export type { Change, Listener } from "./internal/CircuitChange.ts"
export { CircuitOpenError } from "./internal/CircuitOpenError.ts"
export type { Counts, Status } from "./internal/CircuitStatus.ts"

type CircuitBreaker = Breaker.Breaker

const module = "CircuitBreaker"

/**
 * Creates a breaker that is this process's own.
 *
 * **Details**
 *
 * Where `CircuitBreakers` is in the context, it is registered for as long as the
 * scope is open: the same name with the same options is the same breaker, and
 * other options throw a `BreakerConflictError` as a defect. Throws an
 * `InvalidOptionError` for a bad option.
 */
export const make = (
  name: string,
  options?: BreakerOptions.Options
): Effect.Effect<CircuitBreaker, never, Scope.Scope> =>
  CircuitBreakers.register(Rules.name(module, "name", name), BreakerOptions.resolve(options))

/**
 * Creates a breaker whose circuits the `CircuitStore` shares. It is registered
 * as that of `make` is.
 */
export const makeShared = (
  name: string,
  options?: BreakerOptions.Options
): Effect.Effect<CircuitBreaker, never, CircuitStore.CircuitStore | Scope.Scope> => {
  const checked = Rules.name(module, "name", name)
  return openShared(checked, BreakerOptions.resolve(options))
}

/**
 * Creates a breaker that is this process's own and is not registered.
 */
export const makeUnsafe = (name: string, options?: BreakerOptions.Options): CircuitBreaker =>
  new Breaker.Breaker(Rules.name(module, "name", name), BreakerOptions.resolve(options), Clock.Clock.defaultValue())

const openShared = (name: string, options: BreakerOptions.Resolved) =>
  CircuitStore.CircuitStore.use((store) => CircuitBreakers.register(name, options, SharedCircuit.sharing(store)))

/**
 * Class of a breaker that services get from a layer.
 *
 * **Details**
 *
 * - `layer` provides a breaker that is this process's own.
 * - `layerShared` provides one whose circuits the `CircuitStore` shares.
 */
export interface ServiceClass<Self, Name extends string> extends Context.ServiceClass<
  Self,
  `effect-resilience/CircuitBreaker/${Name}`,
  CircuitBreaker
> {
  readonly layer: Layer.Layer<Self>
  readonly layerShared: Layer.Layer<Self, never, CircuitStore.CircuitStore>
  /** Name of the breaker. */
  readonly breaker: Name
  /** Options of the breaker, all there and checked. */
  readonly options: BreakerOptions.Resolved
}

/**
 * Creates the class of a breaker that services get from a layer.
 *
 * **Details**
 *
 * The options are checked when the class is made: a bad one throws an
 * `InvalidOptionError`.
 *
 * **Example** (Providing a breaker)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { CircuitBreaker } from "effect-resilience"
 *
 * class Search extends CircuitBreaker.Service<Search>()("search", { openFor: "10 seconds" }) {}
 *
 * const program = Effect.succeed(["result"]).pipe(CircuitBreaker.protect(Search))
 *
 * await Effect.runPromise(program.pipe(Effect.provide(Search.layer))) // => ["result"]
 * ```
 */
export const Service =
  <Self>() =>
  <const Name extends string>(name: Name, options?: BreakerOptions.Options): ServiceClass<Self, Name> => {
    const checked = Rules.name(module, "name", name)
    const resolved = BreakerOptions.resolve(options)
    const service = Context.Service<Self, CircuitBreaker>()(`effect-resilience/CircuitBreaker/${name}`)
    return Object.assign(service, {
      breaker: name,
      options: resolved,
      layer: Layer.provide(Layer.effect(service, CircuitBreakers.register(checked, resolved)), CircuitBreakers.layer),
      layerShared: Layer.provide(Layer.effect(service, openShared(checked, resolved)), CircuitBreakers.layer)
    })
  }

/**
 * A breaker, or the class that stands for one in the context.
 */
export type Source<I = never> = CircuitBreaker | Context.Key<I, CircuitBreaker>

/**
 * Returns whether a value is a breaker, or a class that may stand for one.
 */
export const isSource = (u: unknown): u is Source<unknown> => u instanceof Breaker.Breaker || Context.isKey(u)

const find = <I>(source: Source<I>, fiber: Fiber.Fiber<unknown, unknown>): CircuitBreaker =>
  source instanceof Breaker.Breaker
    ? source
    : // The effects of this module ask for `I`, so it is in the context.
      Context.getUnsafe(fiber.context, source)

/**
 * Returns the breaker that a source stands for.
 */
export const breaker = <I = never>(source: Source<I>): Effect.Effect<CircuitBreaker, never, I> =>
  Effect.withFiber((fiber) => Effect.succeed(find(source, fiber)))

/**
 * Options that choose one circuit of a breaker.
 */
export interface KeyOptions {
  /** Key of the circuit. Default: the breaker's own circuit. */
  readonly key?: string | undefined
}

/**
 * Options of a protected call. Where one of `classify`, `failureIf`, `ignore`
 * and `retryAfter` is given, they replace those of the breaker.
 *
 * **Details**
 *
 * Tags are those of the errors in `E`. Options that effects with different
 * errors share are `ProtectOptions<unknown, unknown>`, which takes any tag.
 */
export interface ProtectOptions<in A, E> extends KeyOptions, Outcome.Options<A, E> {}

/**
 * Runs an effect through a circuit.
 *
 * **Details**
 *
 * - A call that the circuit refuses does not run, and fails with
 *   `CircuitOpenError`; with `orElse` that runs instead.
 * - Everything else about the effect is as it was: value, errors, defects and
 *   interruption.
 * - Functions among the options get the value and the errors of the effect, and
 *   tags are checked against those, where it is known: data-first, or in a pipe.
 *
 * **Example** (Answering refused calls, one circuit a tenant)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { CircuitBreaker, TripPolicy } from "effect-resilience"
 *
 * const program = Effect.gen(function*() {
 *   const breaker = yield* CircuitBreaker.make("search", { trip: TripPolicy.consecutive(1) })
 *   const search = (tenant: string) =>
 *     Effect.fail(`${tenant} failed`).pipe(
 *       CircuitBreaker.protect(breaker, { key: tenant, orElse: () => Effect.succeed("no results") }),
 *       Effect.catch((error) => Effect.succeed(error))
 *     )
 *   return [yield* search("acme"), yield* search("acme"), yield* search("globex")]
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => ["acme failed", "no results", "globex failed"]
 * ```
 */
export const protect: {
  <I = never, A2 = never, E2 = never, R2 = never>(
    source: Source<I>,
    options: Unclassified & OrElse<A2, E2, R2>
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A | A2, E | E2, R | R2 | I>
  <I = never>(
    source: Source<I>,
    options?: Unclassified
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | CircuitOpenError, R | I>
  <A1, E1, R, A, E, I = never, A2 = never, E2 = never, R2 = never>(
    self: Effect.Effect<A1, E1, R> & Effect.Effect<A, E, R>,
    source: Source<I>,
    options: ProtectOptions<A, E> & OrElse<A2, E2, R2>
  ): Effect.Effect<A1 | A2, E1 | E2, R | R2 | I>
  <A1, E1, R, A, E, I = never>(
    self: Effect.Effect<A1, E1, R> & Effect.Effect<A, E, R>,
    source: Source<I>,
    options?: ProtectOptions<A, E>
  ): Effect.Effect<A1, E1 | CircuitOpenError, R | I>
  <I = never, A = unknown, E = unknown, A2 = never, E2 = never, R2 = never>(
    source: Source<I>,
    options: ProtectOptions<A, E> & OrElse<A2, E2, R2>
  ): <A1, E1, R>(
    self: Effect.Effect<A1, E1, R> & Effect.Effect<A, E, unknown>
  ) => Effect.Effect<A1 | A2, E1 | E2, R | R2 | I>
  <I = never, A = unknown, E = unknown>(
    source: Source<I>,
    options?: ProtectOptions<A, E>
  ): <A1, E1, R>(
    self: Effect.Effect<A1, E1, R> & Effect.Effect<A, E, unknown>
  ) => Effect.Effect<A1, E1 | CircuitOpenError, R | I>
} = (...args: ReadonlyArray<unknown>): never => {
  // The overloads say what the arguments and the result are.
  if (isSource(args[1])) {
    const [self, source, options] = args as [AnyEffect, Source<unknown>, AnyProtectOptions | undefined]
    return new Protected(self, guard(source, options)) as never
  }
  const guarded = guard(...(args as [Source<unknown>, AnyProtectOptions | undefined]))
  return ((self: AnyEffect) => new Protected(self, guarded)) as never
}

/**
 * Option of a protected call that answers refused calls.
 */
export interface OrElse<A, E, R> {
  /** Creates the effect that runs instead of a refused call. */
  readonly orElse: (refused: CircuitOpenError) => Effect.Effect<A, E, R>
}

// Options that do not depend on the effect: it may be a union, whose errors cannot be inferred.
type Unclassified = KeyOptions & { readonly [Option in keyof Outcome.Options]?: undefined }

// It is inferred from `describe`, so it names nothing internal.
type AnyProtectOptions = ProtectOptions<unknown, unknown> & {
  readonly orElse?: ((refused: CircuitOpenError) => Effect.Effect<unknown, unknown, unknown>) | undefined
}

// Shared by all effects that one use of `protect` makes.
interface Guard {
  readonly source: Source<unknown>
  /** The source, where it is not a class. */
  readonly breaker: CircuitBreaker | undefined
  readonly key: string | undefined
  readonly classify: Outcome.Classify | undefined
  readonly orElse: ((refused: CircuitOpenError) => AnyEffect) | undefined
}

const guard = (source: Source<unknown>, options: AnyProtectOptions = {}): Guard => ({
  source,
  breaker: source instanceof Breaker.Breaker ? source : undefined,
  key: options.key,
  classify: classifies(options) ? Outcome.classifier(options) : undefined,
  orElse: options.orElse === undefined ? undefined : Rules.fn(module, "orElse", options.orElse)
})

interface Protected extends AnyEffect {
  readonly self: AnyEffect
  readonly guard: Guard
}

// An operation of the fiber itself: nothing is made for a call but the frame
// that records its outcome.
const Protected = /* @__PURE__ */ (() => {
  const Protected = function (this: { self: AnyEffect; guard: Guard }, self: AnyEffect, guard: Guard) {
    this.self = self
    this.guard = guard
  }
  Protected.prototype = Effectable.Prototype<Protected>({
    label: "CircuitBreaker.protect",
    evaluate(fiber) {
      const { guard, self } = this
      const clock = fiber.getRef(Clock.Clock)
      const breaker = guard.breaker ?? find(guard.source, fiber)
      const circuit = guard.key === undefined ? breaker.main : breaker.circuit(guard.key, clock)
      if (circuit.current._tag === "Closed") {
        if (Circuit.isFramed(fiber)) return Effect.onExitPrimitive(self, circuit.enter(clock, guard.classify))
      } else {
        const refused = circuit.refuse(clock)
        if (refused !== undefined) return guard.orElse === undefined ? Exit.fail(refused) : guard.orElse(refused)
      }
      return Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(circuit.admit(clock, restore, guard.key), (admitted) =>
          !(admitted instanceof CircuitOpenError)
            ? Effect.onExitPrimitive(restore(self), circuit.settleWith(guard.classify, admitted))
            : guard.orElse === undefined
              ? Exit.fail(admitted)
              : restore(guard.orElse(admitted))
        )
      )
    }
  })
  // A function is a constructor, which its type does not say.
  return Protected as unknown as new (self: AnyEffect, guard: Guard) => Protected
})()

/**
 * Admission of one piece of work that is not a single effect, such as a stream or
 * a connection.
 *
 * **Details**
 *
 * The first of the three settles the permit, later ones change nothing.
 */
export interface Permit {
  /** Records a success. */
  readonly succeed: Effect.Effect<void>
  /** Records a failure, with its cause and a hint if there are any. */
  readonly fail: (options?: {
    readonly cause?: Cause.Cause<unknown> | undefined
    readonly retryAfter?: Duration.Input | undefined
  }) => Effect.Effect<void>
  /** Records nothing, and gives the permit back. */
  readonly ignore: Effect.Effect<void>
}

/**
 * Takes a permit of a circuit, or fails with `CircuitOpenError`.
 *
 * **Details**
 *
 * A permit that was not settled is settled when the scope closes, by the exit
 * that it closes with, as the breaker classifies it.
 *
 * **Example** (Recording an outcome by hand)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { CircuitBreaker } from "effect-resilience"
 *
 * const program = Effect.gen(function*() {
 *   const breaker = yield* CircuitBreaker.make("feed")
 *   yield* Effect.scoped(Effect.gen(function*() {
 *     const permit = yield* CircuitBreaker.permit(breaker)
 *     yield* permit.succeed
 *   }))
 *   const { counts } = yield* breaker.status
 *   return counts.successes
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => 1
 * ```
 */
export const permit = <I = never>(
  source: Source<I>,
  options?: KeyOptions
): Effect.Effect<Permit, CircuitOpenError, I | Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.withFiber((fiber) => {
      const clock = fiber.getRef(Clock.Clock)
      const circuit = find(source, fiber).circuit(options?.key, clock)
      return Effect.flatMap(circuit.admit(clock, restore, options?.key), (admission) => {
        if (admission instanceof CircuitOpenError) return Effect.fail(admission)
        let settled = false
        const once = (settle: () => Effect.Effect<void> | undefined): Effect.Effect<void> =>
          Effect.suspend(() => {
            if (settled) return Effect.void
            settled = true
            return settle() ?? Effect.void
          }).pipe(Effect.uninterruptible)
        const byExit = circuit.settleWith(undefined, admission)
        const record = (outcome: Outcome.Outcome, cause: Cause.Cause<unknown> = Cause.empty) =>
          once(() => circuit.record(outcome, cause, admission))
        return Effect.as(
          Effect.addFinalizer((exit) => once(() => byExit(exit))),
          {
            succeed: record(Outcome.success),
            fail: (failed) => record(Outcome.failure(failed), failed?.cause),
            ignore: record(Outcome.ignored)
          }
        )
      })
    })
  )

/**
 * Returns the status of a circuit: its state and counts.
 *
 * **Details**
 *
 * While the breaker is held, the state of every key is that hold.
 */
export const status = <I = never>(
  source: Source<I>,
  options?: KeyOptions
): Effect.Effect<CircuitStatus.Status, never, I> =>
  Effect.withFiber((fiber) => find(source, fiber).statusOf(options?.key))

/**
 * Returns the status of the breaker's own circuit and of those of its keys.
 */
export const statuses = <I = never>(source: Source<I>): Effect.Effect<ReadonlyArray<CircuitStatus.Status>, never, I> =>
  Effect.withFiber((fiber) => {
    const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
    return Effect.succeed(Breaker.statuses(find(source, fiber), now))
  })

/**
 * Creates the stream of the changes of state of a breaker's circuits, from the
 * moment it is run.
 *
 * **Details**
 *
 * A consumer that falls more than 1024 changes behind loses the oldest of them.
 */
export const changes = <I = never>(source: Source<I>): Stream.Stream<CircuitChange.Change, never, I> =>
  CircuitBreakers.changesOf((fiber) => find(source, fiber).listeners)

/**
 * Holds circuits open: every call is refused until `release`, `reset` or the
 * end of the hold.
 *
 * **Details**
 *
 * Without a key the hold is on the breaker and on all of its keys.
 */
export const holdOpen = <I = never>(
  source: Source<I>,
  options?: Operations.HoldOptions
): Effect.Effect<void, never, I> => operate(source, "hold-open", options)

/**
 * Holds circuits closed: every call is admitted, whatever the outcomes, until
 * `release`, `reset` or the end of the hold.
 */
export const holdClosed = <I = never>(
  source: Source<I>,
  options?: Operations.HoldOptions
): Effect.Effect<void, never, I> => operate(source, "hold-closed", options)

/**
 * Ends a hold. The circuits close with clean counts.
 *
 * **Details**
 *
 * Without a key the hold on the breaker ends, and holds on single keys stay.
 */
export const release = <I = never>(
  source: Source<I>,
  options?: Operations.OperatorOptions
): Effect.Effect<void, never, I> => operate(source, "release", options)

/**
 * Closes circuits, whatever their state, with clean counts.
 *
 * **Details**
 *
 * Without a key it is for all circuits of the breaker.
 */
export const reset = <I = never>(
  source: Source<I>,
  options?: Operations.OperatorOptions
): Effect.Effect<void, never, I> => operate(source, "reset", options)

const operate = <I>(
  source: Source<I>,
  action: Operation.Action,
  options: Operations.HoldOptions | undefined
): Effect.Effect<void, never, I> => {
  const operation = Operations.make(action, options)
  return Effect.withFiber((fiber) => operation(find(source, fiber)))
}

/**
 * Description of a breaker, or of a protected call.
 */
export interface BreakerDescription extends BreakerOptions.Description {
  readonly name: string
  readonly key?: string
}

/**
 * Returns options, or the name and the options of a breaker, as JSON with all
 * defaults. Durations are in milliseconds.
 *
 * **Details**
 *
 * Options are described as `Config` reads them back. Of a class that `Service`
 * did not make only its key is known. `options` are those of a protected call,
 * which replace those of the breaker.
 */
export const describe: {
  (options?: BreakerOptions.Options): BreakerOptions.Description
  (source: Source<unknown>, options?: AnyProtectOptions): BreakerDescription
} = (of?: BreakerOptions.Options | Source<unknown>, options?: AnyProtectOptions): never =>
  // The overloads say what comes of which argument.
  (isSource(of) ? describeSource(of, options) : BreakerOptions.describe(of)) as never

/**
 * Describes a breaker or a class without what options alone would need.
 *
 * @internal
 */
export const describeSource = (source: Source<unknown>, options: AnyProtectOptions = {}): BreakerDescription => {
  const { classify, failureIf, ignore, key, retryAfter } = options
  const outcomes = { classify, failureIf, ignore, retryAfter }
  const known = source instanceof Breaker.Breaker || isServiceClass(source) ? source.options : undefined
  const replaced = classifies(outcomes) ? outcomes : undefined
  return {
    name: source instanceof Breaker.Breaker ? source.name : isServiceClass(source) ? source.breaker : source.key,
    ...BreakerOptions.describeResolved({ ...known, ...replaced }),
    ...(key === undefined ? undefined : { key })
  }
}

const isServiceClass = (source: Context.Key<unknown, CircuitBreaker>): source is ServiceClass<unknown, string> =>
  hasProperty(source, "options") && hasProperty(source, "breaker")

const classifies = ({ classify, failureIf, ignore, retryAfter }: Outcome.Options): boolean =>
  classify !== undefined || failureIf !== undefined || ignore !== undefined || retryAfter !== undefined
