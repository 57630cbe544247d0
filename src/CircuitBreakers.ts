/**
 * Registry of an application's breakers: by name, all of them, and what happens
 * to them.
 *
 * **Details**
 *
 * - A layer is the application-wide instance. The layers of
 *   `CircuitBreaker.Service` register with `CircuitBreakers.layer`, and so does
 *   `CircuitBreaker.make` where the registry is in the context.
 * - The same name with the same options is the same breaker. With other options
 *   it is a `BreakerConflictError` that names what differs.
 * - A breaker leaves the registry when the last scope that registered it closes.
 *
 * **Example** (Resetting a breaker by its name)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { CircuitBreaker, CircuitBreakers, TripPolicy } from "effect-resilience"
 *
 * class Payments extends CircuitBreaker.Service<Payments>()("payments", {
 *   trip: TripPolicy.consecutive(1)
 * }) {}
 *
 * const program = Effect.gen(function*() {
 *   yield* Effect.fail("unavailable").pipe(CircuitBreaker.protect(Payments), Effect.ignore)
 *   const payments = yield* CircuitBreakers.get("payments")
 *   const before = yield* payments.status
 *   yield* CircuitBreakers.reset("payments")
 *   const after = yield* payments.status
 *   return [before.state._tag, after.state._tag]
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide(Layer.merge(Payments.layer, CircuitBreakers.layer)))) // => ["Open", "Closed"]
 * ```
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Circuit from "./Circuit.ts"
import type * as CircuitState from "./CircuitState.ts"
import * as Options from "./Options.ts"

/**
 * Error of a name that no breaker has.
 */
export class UnknownBreakerError extends Data.TaggedError("UnknownBreakerError")<{
  /** Name that was asked for. */
  readonly breaker: string
  /** Names that there are. */
  readonly known: ReadonlyArray<string>
}> {
  override get message(): string {
    return `No breaker is named "${this.breaker}": ${this.known.length === 0 ? "there are none" : `there are ${this.known.join(", ")}`}`
  }
}

/**
 * Defect of two breakers that share a name and differ in their options, or in
 * their store.
 */
export class BreakerConflictError extends Data.TaggedError("BreakerConflictError")<{
  /** Name of both. */
  readonly breaker: string
  /** What differs, each as `option: this | that`. */
  readonly differences: ReadonlyArray<string>
}> {
  override get message(): string {
    return `Two breakers are named "${this.breaker}" and differ in ${this.differences.join(", ")}`
  }
}

/**
 * Service that knows all breakers of an application.
 *
 * **Details**
 *
 * - `register` returns the breaker of that name, which `make` makes where there
 *   is none. It stays until the scope closes. Other settings under the same name
 *   die with a `BreakerConflictError`.
 * - `subscribe` calls a function for each change of any breaker, also of those
 *   that come later, until the returned function is called. The function must
 *   not throw: the call that made the change would die of it.
 */
export class CircuitBreakers extends Context.Service<
  CircuitBreakers,
  {
    readonly register: (
      name: string,
      settings: Circuit.Settings,
      make: () => Circuit.Breaker
    ) => Effect.Effect<Circuit.Breaker, never, Scope.Scope>
    readonly get: (name: string) => Effect.Effect<Circuit.Breaker, UnknownBreakerError>
    readonly list: Effect.Effect<ReadonlyArray<Circuit.Breaker>>
    readonly subscribe: (listener: (change: Circuit.Change) => void) => () => void
  }
>()("effect-resilience/CircuitBreakers") {}

/**
 * Creates a registry.
 */
export const make: Effect.Effect<CircuitBreakers["Service"]> = /* @__PURE__ */ (() =>
  Effect.sync(() => {
    const breakers = new Map<string, { readonly breaker: Circuit.Breaker; users: number }>()
    const listeners = new Set<(change: Circuit.Change) => void>()
    const tell = (change: Circuit.Change) => {
      for (const listener of listeners) listener(change)
    }
    const enter = (name: string, settings: Circuit.Settings, make: () => Circuit.Breaker) =>
      Effect.suspend(() => {
        let entry = breakers.get(name)
        if (entry === undefined) {
          entry = { breaker: make(), users: 0 }
          entry.breaker.listeners.add(tell)
          breakers.set(name, entry)
        }
        const differences = compare(entry.breaker.settings, settings)
        if (differences.length > 0) return Effect.die(new BreakerConflictError({ breaker: name, differences }))
        entry.users++
        return Effect.succeed(entry.breaker)
      })
    const leave = (breaker: Circuit.Breaker) =>
      Effect.sync(() => {
        const entry = breakers.get(breaker.name)
        if (entry === undefined || --entry.users > 0) return
        breakers.delete(breaker.name)
        breaker.listeners.delete(tell)
        breaker.close()
      })
    return CircuitBreakers.of({
      register: (name, settings, make) => Effect.acquireRelease(enter(name, settings, make), leave),
      get: (name) =>
        Effect.suspend(() => {
          const entry = breakers.get(name)
          return entry === undefined
            ? Effect.fail(new UnknownBreakerError({ breaker: name, known: [...breakers.keys()] }))
            : Effect.succeed(entry.breaker)
        }),
      list: Effect.sync(() => [...breakers.values()].map(({ breaker }) => breaker)),
      subscribe: (listener) => {
        listeners.add(listener)
        return () => {
          listeners.delete(listener)
        }
      }
    })
  }))()

/**
 * Provides the registry. All layers of `CircuitBreaker.Service` use this one.
 */
export const layer: Layer.Layer<CircuitBreakers> = /* @__PURE__ */ (() => Layer.effect(CircuitBreakers, make))()

const compare = (a: Circuit.Settings, b: Circuit.Settings): ReadonlyArray<string> => {
  if (a === b) return []
  const differences: Array<string> = []
  for (const option of Object.keys(a.described)) {
    const [left, right] = [JSON.stringify(a.described[option]), JSON.stringify(b.described[option])]
    if (left !== right) differences.push(`${option}: ${left} | ${right}`)
  }
  for (const option of Object.keys(a.functions)) {
    const [left, right] = [a.functions[option], b.functions[option]]
    if (left !== undefined && right !== undefined && left !== right) differences.push(`${option}: another function`)
  }
  return differences
}

/**
 * Returns the breaker of a name, and fails with `UnknownBreakerError` if there
 * is none.
 */
export const get = (name: string): Effect.Effect<Circuit.Breaker, UnknownBreakerError, CircuitBreakers> =>
  CircuitBreakers.use((registry) => registry.get(name))

/**
 * Returns all breakers, in order of registration.
 */
export const list: Effect.Effect<ReadonlyArray<Circuit.Breaker>, never, CircuitBreakers> = /* @__PURE__ */ (() =>
  CircuitBreakers.use((registry) => registry.list))()

/**
 * Returns the status of every circuit of every breaker.
 */
export const statuses: Effect.Effect<ReadonlyArray<Circuit.Status>, never, CircuitBreakers> = /* @__PURE__ */ (() =>
  Effect.flatMap(list, (breakers) =>
    Effect.map(Clock.currentTimeMillis, (now) =>
      breakers.flatMap((breaker) => breaker.circuits().map((circuit) => circuit.status(now)))
    )
  ))()

/**
 * Creates the stream of the changes of state of all breakers, from the moment
 * it is run.
 *
 * **Details**
 *
 * A consumer that falls more than 1024 changes behind loses the oldest of them.
 */
export const changes: Stream.Stream<Circuit.Change, never, CircuitBreakers> = /* @__PURE__ */ (() =>
  Stream.unwrap(CircuitBreakers.useSync((registry) => changesOf(registry.subscribe))))()

/**
 * Creates the stream of what a subscription delivers.
 */
export const changesOf = <R = never>(
  subscribe: (listener: (change: Circuit.Change) => void, fiber: Fiber.Fiber<unknown, unknown>) => () => void
): Stream.Stream<Circuit.Change, never, Exclude<R, Scope.Scope>> =>
  Stream.callback<Circuit.Change, never, R>(
    (queue) =>
      Effect.withFiber((fiber) =>
        Effect.acquireRelease(
          Effect.sync(() => subscribe((change) => void Queue.offerUnsafe(queue, change), fiber)),
          (unsubscribe) => Effect.sync(unsubscribe)
        )
      ),
    { bufferSize: 1024, strategy: "sliding" }
  )

/**
 * Options of what an operator does to a breaker.
 */
export interface OperatorOptions {
  /** Circuit that is meant. Default: the breaker with all of its keys. */
  readonly key?: string | undefined
}

/**
 * Options of a hold.
 */
export interface HoldOptions extends OperatorOptions {
  /** How long the hold lasts. Default: until it is released. */
  readonly for?: Duration.Input | undefined
  /** Why it is held. */
  readonly reason?: string | undefined
  /** Who holds it. */
  readonly by?: string | undefined
}

/**
 * Creates the event of a hold. Throws an `InvalidOptionError` for a duration
 * that is not finite and above zero.
 */
export const holdEvent = (as: CircuitState.Held["_tag"], options?: HoldOptions): CircuitState.Event => ({
  _tag: "Hold",
  as,
  forMillis: options?.for === undefined ? undefined : Options.millis("CircuitBreaker", "for", options.for),
  reason: options?.reason,
  by: options?.by
})

/**
 * Holds the breaker of a name open: every call is refused until `release`,
 * `reset` or the end of the hold.
 */
export const holdOpen = (
  name: string,
  options?: HoldOptions
): Effect.Effect<void, UnknownBreakerError, CircuitBreakers> => apply(name, holdEvent("HeldOpen", options), options)

/**
 * Holds the breaker of a name closed: every call is admitted, whatever the
 * outcomes, until `release`, `reset` or the end of the hold.
 */
export const holdClosed = (
  name: string,
  options?: HoldOptions
): Effect.Effect<void, UnknownBreakerError, CircuitBreakers> => apply(name, holdEvent("HeldClosed", options), options)

/**
 * Ends a hold on the breaker of a name, as `CircuitBreaker.release` does.
 */
export const release = (
  name: string,
  options?: OperatorOptions
): Effect.Effect<void, UnknownBreakerError, CircuitBreakers> => apply(name, { _tag: "Release" }, options)

/**
 * Closes the circuits of the breaker of a name, whatever their state, with
 * clean counts.
 */
export const reset = (
  name: string,
  options?: OperatorOptions
): Effect.Effect<void, UnknownBreakerError, CircuitBreakers> => apply(name, { _tag: "Reset" }, options)

const apply = (name: string, event: CircuitState.Event, options: OperatorOptions | undefined) =>
  Effect.flatMap(get(name), (breaker) => breaker.apply(event, options?.key))
