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
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Operation from "../circuit/internal/Operation.ts"
import * as Text from "../core/internal/Text.ts"
import * as Breaker from "./internal/Breaker.ts"
import * as BreakerOptions from "./internal/BreakerOptions.ts"
import * as CircuitChange from "./internal/CircuitChange.ts"
import type * as CircuitStatus from "./internal/CircuitStatus.ts"
import * as Operations from "./internal/Operations.ts"

export type { HoldOptions, OperatorOptions } from "./internal/Operations.ts"

/**
 * Error of a name that no breaker has.
 */
export class UnknownBreakerError
  extends /* @__PURE__ */ Data.TaggedError("UnknownBreakerError")<{
    /** Name that was asked for. */
    readonly breaker: string
    /** Names that there are. */
    readonly known: ReadonlyArray<string>
  }>
{
  override get message(): string {
    const known = this.known.map((name) => Text.quoted(name)).join(", ")
    return `No breaker is named ${Text.label(this.breaker, undefined)}: ${known === "" ? "there are none" : `there are ${known}`}`
  }
}

/**
 * Defect of two breakers that share a name and differ in their options, or in
 * their store.
 */
export class BreakerConflictError extends Data.TaggedError("BreakerConflictError")<{
  /** Name of both. */
  readonly breaker: string
  /** Options that differ, each as `option: this | that`. */
  readonly differences: ReadonlyArray<string>
}> {
  override get message(): string {
    return `Two breakers are named ${Text.label(this.breaker, undefined)} and differ in ${this.differences.join(", ")}`
  }
}

/**
 * Breaker that is registered.
 */
export interface Entry {
  readonly breaker: Breaker.Breaker
  /** Tells the listeners of the registry of the breaker's changes. */
  readonly tell: CircuitChange.Listener
  /** Scopes that registered it and are open. */
  readonly users: number
}

/**
 * Service that knows all breakers of an application.
 */
export class CircuitBreakers extends Context.Service<
  CircuitBreakers,
  {
    /** Breakers by name, in order of registration. */
    readonly entries: Map<string, Entry>
    /** Called for each change of any breaker. Errors that they throw are logged. */
    readonly listeners: Set<CircuitChange.Listener>
    /** Called when a breaker came or went. */
    readonly watchers: Set<() => void>
  }
>()("effect-resilience/CircuitBreakers") {}

/**
 * Creates a registry.
 */
export const make: Effect.Effect<CircuitBreakers["Service"]> = /* @__PURE__ */ (() =>
  Effect.sync(() => ({
    entries: new Map<string, Entry>(),
    listeners: new Set<CircuitChange.Listener>(),
    watchers: new Set<() => void>()
  })))()

/**
 * Creates a breaker, which closes with the scope.
 *
 * **Details**
 *
 * Where there is a registry in the context, the breaker is the one of that name,
 * if there is one, and it stays until the last scope that registered it closes.
 * Other options or another store under the same name are a defect, a
 * `BreakerConflictError`.
 *
 * @internal
 */
export const register = (
  name: string,
  options: BreakerOptions.Resolved,
  sharing?: Breaker.Sharing
): Effect.Effect<Breaker.Breaker, never, Scope.Scope> =>
  Effect.withFiber((fiber) => {
    const registry = Context.getOrUndefined(fiber.context, CircuitBreakers)
    const create = () => new Breaker.Breaker(name, options, fiber.getRef(Clock.Clock), sharing)
    return registry === undefined
      ? Effect.acquireRelease(Effect.sync(create), (breaker) => Effect.sync(() => breaker.close()))
      : Effect.acquireRelease(
          Effect.suspend(() => enter(registry, name, options, sharing, create)),
          (breaker) => Effect.sync(() => leave(registry, breaker))
        )
  })

const enter = (
  { entries, listeners, watchers }: CircuitBreakers["Service"],
  name: string,
  options: BreakerOptions.Resolved,
  sharing: Breaker.Sharing | undefined,
  create: () => Breaker.Breaker
): Effect.Effect<Breaker.Breaker> => {
  const entry = entries.get(name)
  if (entry === undefined) {
    const breaker = create()
    const tell: CircuitChange.Listener = (change) => CircuitChange.tell(listeners, change)
    breaker.listeners.add(tell)
    entries.set(name, { breaker, tell, users: 1 })
    watchers.forEach((watch) => watch())
    return Effect.succeed(breaker)
  }
  const { breaker, users } = entry
  const differences = BreakerOptions.differences(breaker.options, options)
  if (breaker.sharing?.store !== sharing?.store) differences.push("store: another one")
  if (differences.length > 0) return Effect.die(new BreakerConflictError({ breaker: name, differences }))
  entries.set(name, { ...entry, users: users + 1 })
  return Effect.succeed(breaker)
}

const leave = ({ entries, watchers }: CircuitBreakers["Service"], breaker: Breaker.Breaker): void => {
  const entry = entries.get(breaker.name)
  if (entry === undefined) return
  if (entry.users > 1) {
    entries.set(breaker.name, { ...entry, users: entry.users - 1 })
    return
  }
  entries.delete(breaker.name)
  breaker.listeners.delete(entry.tell)
  breaker.close()
  watchers.forEach((watch) => watch())
}

/**
 * Provides the registry. All layers of `CircuitBreaker.Service` use this one.
 */
export const layer: Layer.Layer<CircuitBreakers> = /* @__PURE__ */ (() => Layer.effect(CircuitBreakers, make))()

/**
 * Returns the breaker of a name, and fails with `UnknownBreakerError` if there
 * is none.
 */
export const get = (name: string): Effect.Effect<Breaker.Breaker, UnknownBreakerError, CircuitBreakers> =>
  Effect.flatMap(list, (breakers) => {
    const found = breakers.find((breaker) => breaker.name === name)
    return found === undefined
      ? Effect.fail(new UnknownBreakerError({ breaker: name, known: breakers.map((breaker) => breaker.name) }))
      : Effect.succeed(found)
  })

/**
 * Returns all breakers, in order of registration.
 */
export const list: Effect.Effect<ReadonlyArray<Breaker.Breaker>, never, CircuitBreakers> = /* @__PURE__ */ (() =>
  CircuitBreakers.useSync(({ entries }) => Array.from(entries.values(), ({ breaker }) => breaker)))()

/**
 * Returns the status of every circuit of every breaker.
 */
export const statuses: Effect.Effect<
  ReadonlyArray<CircuitStatus.Status>,
  never,
  CircuitBreakers
> = /* @__PURE__ */ (() =>
  Effect.flatMap(list, (breakers) =>
    Effect.map(Clock.currentTimeMillis, (now) => breakers.flatMap((breaker) => Breaker.statuses(breaker, now)))
  ))()

/**
 * Creates the stream of the changes of state of all breakers, from the moment
 * it is run.
 *
 * **Details**
 *
 * A consumer that falls more than 1024 changes behind loses the oldest of them.
 */
export const changes: Stream.Stream<CircuitChange.Change, never, CircuitBreakers> = /* @__PURE__ */ (() =>
  Stream.unwrap(CircuitBreakers.useSync(({ listeners }) => changesOf(() => listeners))))()

/**
 * Creates the stream of the changes that a set of listeners hears of.
 *
 * @internal
 */
export const changesOf = (
  find: (fiber: Fiber.Fiber<unknown, unknown>) => Set<CircuitChange.Listener>
): Stream.Stream<CircuitChange.Change> =>
  Stream.callback<CircuitChange.Change>(
    (queue) =>
      Effect.withFiber((fiber) => {
        const listeners = find(fiber)
        const listener: CircuitChange.Listener = (change) => void Queue.offerUnsafe(queue, change)
        return Effect.acquireRelease(
          Effect.sync(() => listeners.add(listener)),
          () => Effect.sync(() => listeners.delete(listener))
        )
      }),
    { bufferSize: 1024, strategy: "sliding" }
  )

/**
 * Holds the breaker of a name open: every call is refused until `release`,
 * `reset` or the end of the hold.
 */
export const holdOpen = (name: string, options?: Operations.HoldOptions): ByName => operate(name, "hold-open", options)

/**
 * Holds the breaker of a name closed: every call is admitted, whatever the
 * outcomes, until `release`, `reset` or the end of the hold.
 */
export const holdClosed = (name: string, options?: Operations.HoldOptions): ByName =>
  operate(name, "hold-closed", options)

/**
 * Ends a hold on the breaker of a name, as `CircuitBreaker.release` does.
 */
export const release = (name: string, options?: Operations.OperatorOptions): ByName => operate(name, "release", options)

/**
 * Closes the circuits of the breaker of a name, whatever their state, with
 * clean counts.
 */
export const reset = (name: string, options?: Operations.OperatorOptions): ByName => operate(name, "reset", options)

type ByName = Effect.Effect<void, UnknownBreakerError, CircuitBreakers>

const operate = (name: string, action: Operation.Action, options: Operations.HoldOptions | undefined): ByName =>
  Effect.flatMap(get(name), Operations.make(action, options))
