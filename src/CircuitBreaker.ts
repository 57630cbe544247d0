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
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { hasProperty } from "effect/Predicate"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import * as Backoff from "./Backoff.ts"
import * as Circuit from "./Circuit.ts"
import * as CircuitBreakers from "./CircuitBreakers.ts"
import type * as CircuitState from "./CircuitState.ts"
import * as CircuitStore from "./CircuitStore.ts"
import * as Rules from "./Options.ts"
import * as Outcome from "./Outcome.ts"
import * as TripPolicy from "./TripPolicy.ts"

export { CircuitOpenError } from "./Circuit.ts"

/**
 * A named circuit, with the circuits of its keys.
 */
export type CircuitBreaker = Circuit.Breaker

/**
 * What a circuit is and has done.
 */
export type Status = Circuit.Status

/**
 * Change of a circuit's state.
 */
export type Change = Circuit.Change

/**
 * Options of a breaker. All have defaults.
 */
export interface Options extends Outcome.Options {
  /** When a closed circuit opens. Default: 5 consecutive failures. */
  readonly trip?: TripPolicy.TripPolicy | undefined
  /**
   * How long the circuit stays open: a duration, or a schedule whose n-th delay
   * is for the n-th opening (its last one repeats). The count begins again once
   * the circuit has stayed closed as long as it was last open. Default: 30
   * seconds.
   */
  readonly openFor?: Duration.Input | Schedule.Schedule<unknown> | undefined
  /** Upper bound of the open time, for schedules and hints. Default: 1 hour, or `openFor` where that is longer. */
  readonly maxOpenFor?: Duration.Input | undefined
  /** How a circuit that was open is tried. */
  readonly halfOpen?: HalfOpenOptions | undefined
  /** Whether all is counted and reported and nothing refused. Default: false. */
  readonly dryRun?: boolean | undefined
  /** Whether changes of state are logged: a Warning for open, else an Info. Default: true. */
  readonly log?: boolean | undefined
  /** Bounds of the circuits of keys. */
  readonly keys?: KeysOptions | undefined
}

/**
 * Options that say how a circuit that was open is tried.
 */
export interface HalfOpenOptions {
  /** Probes that may run at one time. Default: 1. */
  readonly probes?: number | undefined
  /**
   * Probes that have to succeed. A number: that many, and one failure opens the
   * circuit again. `{ count, of }` or `{ ratio, of }`: so many, or that share,
   * among `of`. Default: 1.
   */
  readonly successes?:
    | number
    | { readonly count: number; readonly of: number }
    | { readonly ratio: number; readonly of: number }
    | undefined
  /** How long a probe that does not settle keeps its permit. Default: 30 seconds. */
  readonly leaseFor?: Duration.Input | undefined
  /** How long to wait after a probe that was interrupted or ignored. Default: 1 second. */
  readonly pace?: Duration.Input | undefined
}

/**
 * Options that bound the circuits of keys.
 *
 * **Details**
 *
 * A circuit that is open, half-open, held or in use is not forgotten, so there
 * may be more than `max` while there are as many of those. It may be once nobody
 * has asked for it for `idleFor` after its open time, its pace or its hold was
 * over.
 */
export interface KeysOptions {
  /** Circuits that are kept; beyond, the least recently used are forgotten. Default: 10 000. */
  readonly max?: number | undefined
  /** How long a circuit is kept that is not used. Default: 1 hour. */
  readonly idleFor?: Duration.Input | undefined
}

/**
 * Values that options have where they are not given.
 */
export const defaults = {
  openFor: "30 seconds",
  maxOpenFor: "1 hour",
  halfOpen: { probes: 1, successes: 1, leaseFor: "30 seconds", pace: "1 second" },
  dryRun: false,
  log: true,
  keys: { max: 10_000, idleFor: "1 hour" }
} as const

const module = "CircuitBreaker"

/**
 * Checks options and fills in the defaults. Throws an `InvalidOptionError`.
 */
export const resolve = (options: Options = {}): Circuit.Settings => {
  const trip = options.trip === undefined ? TripPolicy.consecutive() : TripPolicy.check(options.trip)
  const { halfOpen, keys } = options
  const machine = {
    probes: Rules.count(module, "halfOpen.probes", halfOpen?.probes ?? defaults.halfOpen.probes),
    ...needed(halfOpen?.successes ?? defaults.halfOpen.successes),
    leaseMillis: Rules.millis(module, "halfOpen.leaseFor", halfOpen?.leaseFor ?? defaults.halfOpen.leaseFor),
    paceMillis: Rules.millis(module, "halfOpen.pace", halfOpen?.pace ?? defaults.halfOpen.pace)
  }
  const openFor = options.openFor ?? defaults.openFor
  const scheduled = Schedule.isSchedule(openFor)
  const openMillis = scheduled ? 0 : Rules.millis(module, "openFor", openFor)
  const maxOpenMillis =
    options.maxOpenFor === undefined
      ? Math.max(openMillis, Duration.toMillis(defaults.maxOpenFor))
      : Rules.millis(module, "maxOpenFor", options.maxOpenFor)
  if (openMillis > maxOpenMillis) Rules.reject(module, "openFor", openFor, `at most maxOpenFor (${maxOpenMillis} ms)`)
  const settings = {
    dryRun: flag("dryRun", options.dryRun ?? defaults.dryRun),
    log: flag("log", options.log ?? defaults.log),
    maxKeys: Rules.count(module, "keys.max", keys?.max ?? defaults.keys.max),
    idleMillis: Rules.millis(module, "keys.idleFor", keys?.idleFor ?? defaults.keys.idleFor)
  }
  const { classify, failureIf, ignore, retryAfter } = options
  return {
    ...settings,
    trip,
    openMillis: scheduled ? delays(openFor) : () => openMillis,
    maxOpenMillis,
    machine,
    classify: Outcome.classifier(options),
    described: {
      trip: TripPolicy.toJson(trip),
      openFor: scheduled ? (Backoff.isBackoff(openFor) ? openFor[Backoff.TypeId] : "a schedule") : openMillis,
      maxOpenFor: maxOpenMillis,
      halfOpen: machine,
      outcomes: describeOutcomes(options),
      dryRun: settings.dryRun,
      log: settings.log,
      keys: { max: settings.maxKeys, idleFor: settings.idleMillis }
    },
    functions: {
      openFor: scheduled && !Backoff.isBackoff(openFor) ? openFor : undefined,
      classify,
      failureIf: typeof failureIf === "function" ? failureIf : undefined,
      ignore: typeof ignore === "function" ? ignore : undefined,
      retryAfter
    }
  }
}

const flag = (field: string, value: boolean): boolean =>
  typeof value === "boolean" ? value : Rules.reject(module, field, value, "true or false")

const describeOutcomes = ({ classify, failureIf, ignore, retryAfter }: Outcome.Options) => {
  const text = (option: Outcome.ErrorMatch<unknown> | undefined) =>
    typeof option === "function" ? "a function" : option
  return classify === undefined
    ? {
        failureIf: text(failureIf),
        ignore: text(ignore),
        ...(retryAfter === undefined ? undefined : { retryAfter: "a function" })
      }
    : { classify: "a function" }
}

const needed = (
  successes: NonNullable<HalfOpenOptions["successes"]>
): { readonly needed: number; readonly of: number } => {
  const field = "halfOpen.successes"
  if (typeof successes !== "object") {
    const count = Rules.count(module, field, successes)
    return { needed: count, of: count }
  }
  if ("count" in successes === "ratio" in successes) {
    Rules.reject(module, field, successes, "a count or a ratio, not both")
  }
  const of = Rules.count(module, `${field}.of`, successes.of)
  if ("count" in successes) {
    const count = Rules.count(module, `${field}.count`, successes.count)
    return count > of
      ? Rules.reject(module, `${field}.count`, count, `at most of (${of}), or the circuit could never close`)
      : { needed: count, of }
  }
  const ratio = Rules.ratio(module, `${field}.ratio`, successes.ratio)
  // The least count whose share of `of` reaches the ratio. A product with a
  // fraction may come out above the whole number that is meant.
  const count = Math.ceil(ratio * of)
  return { needed: (count - 1) / of >= ratio ? count - 1 : count, of }
}

// Replays the schedule up to the n-th delay, on a time that passes as if each
// opening followed the other at once: elapsed time then is time spent open.
const delays =
  (schedule: Schedule.Schedule<unknown>) =>
  (opening: number): Effect.Effect<number> =>
    Effect.gen(function* () {
      const step = yield* Schedule.toStep(schedule)
      let now = yield* Clock.currentTimeMillis
      let millis = 0
      for (let n = 1; n <= opening; n++) {
        const result = yield* Effect.exit(step(now, n))
        if (Exit.isFailure(result)) break
        millis = Duration.toMillis(result.value[1])
        now += millis
      }
      return millis
    })

/**
 * Creates a breaker that is this process's own.
 *
 * **Details**
 *
 * Where `CircuitBreakers` is in the context, it is registered for as long as the
 * scope is open: the same name with the same options is the same breaker, and
 * with others it dies with a `BreakerConflictError`. Throws an
 * `InvalidOptionError` for a bad option.
 */
export const make = (name: string, options?: Options): Effect.Effect<CircuitBreaker, never, Scope.Scope> =>
  open(Rules.name(module, "name", name), resolve(options), CircuitStore.local, false)

/**
 * Creates a breaker whose circuits the `CircuitStore` shares.
 */
export const makeShared = (
  name: string,
  options?: Options
): Effect.Effect<CircuitBreaker, never, CircuitStore.CircuitStore | Scope.Scope> => {
  const checked = Rules.name(module, "name", name)
  const settings = resolve(options)
  return CircuitStore.CircuitStore.use((store) => open(checked, settings, store, true))
}

/**
 * Creates a breaker that is this process's own and stands in no registry.
 */
export const makeUnsafe = (name: string, options?: Options): CircuitBreaker =>
  new Circuit.Breaker(
    Rules.name(module, "name", name),
    resolve(options),
    CircuitStore.local,
    Clock.Clock.defaultValue(),
    false
  )

const open = (
  name: string,
  settings: Circuit.Settings,
  store: CircuitStore.CircuitStore["Service"],
  shared: boolean
): Effect.Effect<CircuitBreaker, never, Scope.Scope> =>
  Effect.withFiber((fiber) => {
    const build = () => new Circuit.Breaker(name, settings, store, fiber.getRef(Clock.Clock), shared)
    const registry = Context.getOrUndefined(fiber.context, CircuitBreakers.CircuitBreakers)
    return registry === undefined
      ? Effect.acquireRelease(Effect.sync(build), (breaker) => Effect.sync(() => breaker.close()))
      : Effect.tap(registry.register(name, settings, build), (breaker) =>
          breaker.store === store
            ? Effect.void
            : Effect.die(
                new CircuitBreakers.BreakerConflictError({ breaker: name, differences: ["store: another one"] })
              )
        )
  })

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
  /** The options, resolved and checked. */
  readonly settings: Circuit.Settings
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
  <const Name extends string>(name: Name, options?: Options): ServiceClass<Self, Name> => {
    const checked = Rules.name(module, "name", name)
    const settings = resolve(options)
    const service = Context.Service<Self, CircuitBreaker>()(`effect-resilience/CircuitBreaker/${name}`)
    return Object.assign(service, {
      breaker: name,
      settings,
      layer: Layer.effect(service, open(checked, settings, CircuitStore.local, false)).pipe(
        Layer.provide(CircuitBreakers.layer)
      ),
      layerShared: Layer.effect(
        service,
        CircuitStore.CircuitStore.use((store) => open(checked, settings, store, true))
      ).pipe(Layer.provide(CircuitBreakers.layer))
    })
  }

/**
 * A breaker, or the class that stands for one in the context.
 */
export type Source<I = never> = CircuitBreaker | Context.Key<I, CircuitBreaker>

/**
 * Returns whether a value is a breaker, or a class that may stand for one.
 */
export const isSource = (u: unknown): u is Source<unknown> => u instanceof Circuit.Breaker || Context.isKey(u)

const find = <I>(source: Source<I>, fiber: Fiber.Fiber<unknown, unknown>): CircuitBreaker =>
  source instanceof Circuit.Breaker
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
 */
export interface ProtectOptions<in A, in E> extends KeyOptions, Outcome.Options<A, E> {}

/**
 * Runs an effect through a circuit.
 *
 * **Details**
 *
 * - A call that the circuit refuses does not run, and fails with
 *   `CircuitOpenError`; with `orElse` that runs instead.
 * - Everything else about the effect is as it was: value, errors, defects and
 *   interruption.
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
  <I = never, A = unknown, E = unknown, A2 = never, E2 = never, R2 = never>(
    source: Source<I>,
    options: ProtectOptions<A, E> & {
      readonly orElse: (refused: Circuit.CircuitOpenError) => Effect.Effect<A2, E2, R2>
    }
  ): <A1 extends A, E1 extends E, R>(self: Effect.Effect<A1, E1, R>) => Effect.Effect<A1 | A2, E1 | E2, R | R2 | I>
  <I = never, A = unknown, E = unknown>(
    source: Source<I>,
    options?: ProtectOptions<A, E>
  ): <A1 extends A, E1 extends E, R>(
    self: Effect.Effect<A1, E1, R>
  ) => Effect.Effect<A1, E1 | Circuit.CircuitOpenError, R | I>
  <A, E, R, I = never, A2 = never, E2 = never, R2 = never>(
    self: Effect.Effect<A, E, R>,
    source: Source<I>,
    options: ProtectOptions<A, E> & {
      readonly orElse: (refused: Circuit.CircuitOpenError) => Effect.Effect<A2, E2, R2>
    }
  ): Effect.Effect<A | A2, E | E2, R | R2 | I>
  <A, E, R, I = never>(
    self: Effect.Effect<A, E, R>,
    source: Source<I>,
    options?: ProtectOptions<A, E>
  ): Effect.Effect<A, E | Circuit.CircuitOpenError, R | I>
} = (...args: ReadonlyArray<unknown>): never => {
  // The overloads say what the arguments and the result are.
  if (isSource(args[1])) {
    const [self, source, options] = args as [AnyEffect, Source<unknown>, AnyProtectOptions | undefined]
    return new Protected(self, guard(source, options)) as never
  }
  const guarded = guard(...(args as [Source<unknown>, AnyProtectOptions | undefined]))
  return ((self: AnyEffect) => new Protected(self, guarded)) as never
}

type AnyEffect = Effect.Effect<unknown, unknown, unknown>

type AnyProtectOptions = ProtectOptions<unknown, unknown> & {
  readonly orElse?: ((refused: Circuit.CircuitOpenError) => AnyEffect) | undefined
}

// What all effects share that one use of `protect` makes.
interface Guard {
  readonly source: Source<unknown>
  /** The source, where it is no class. */
  readonly breaker: CircuitBreaker | undefined
  readonly key: string | undefined
  readonly classify: Outcome.Classify | undefined
  readonly orElse: ((refused: Circuit.CircuitOpenError) => AnyEffect) | undefined
}

const guard = (source: Source<unknown>, options: AnyProtectOptions = {}): Guard => ({
  source,
  breaker: source instanceof Circuit.Breaker ? source : undefined,
  key: options.key,
  classify: classifies(options) ? Outcome.classifier(options) : undefined,
  orElse: options.orElse
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
        Effect.matchEffect(circuit.admit(restore, guard.key), {
          onFailure: (refused) => (guard.orElse === undefined ? Exit.fail(refused) : restore(guard.orElse(refused))),
          onSuccess: (admission) => Effect.onExitPrimitive(restore(self), circuit.settleWith(guard.classify, admission))
        })
      )
    }
  })
  // A function is a constructor, which its type does not say.
  return Protected as unknown as new (self: AnyEffect, guard: Guard) => Protected
})()

/**
 * Admission of one piece of work that is no single effect, such as a stream or
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
 * **Example** (Recording the outcome of a stream by its first element)
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
): Effect.Effect<Permit, Circuit.CircuitOpenError, I | Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.withFiber((fiber) => {
      const circuit = find(source, fiber).circuit(options?.key, fiber.getRef(Clock.Clock))
      return Effect.flatMap(circuit.admit(restore, options?.key), (admission) => {
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
 * Returns what a circuit is and has done.
 *
 * **Details**
 *
 * While the breaker is held, the state of every key is that hold.
 */
export const status = <I = never>(source: Source<I>, options?: KeyOptions): Effect.Effect<Status, never, I> =>
  Effect.withFiber((fiber) => find(source, fiber).statusOf(options?.key))

/**
 * Returns what the breaker's own circuit and those of its keys are and have
 * done.
 */
export const statuses = <I = never>(source: Source<I>): Effect.Effect<ReadonlyArray<Status>, never, I> =>
  Effect.withFiber((fiber) => {
    const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
    return Effect.succeed(
      find(source, fiber)
        .circuits()
        .map((circuit) => circuit.status(now))
    )
  })

/**
 * Creates the stream of the changes of state of a breaker's circuits, from the
 * moment it is run.
 *
 * **Details**
 *
 * A consumer that falls more than 1024 changes behind loses the oldest of them.
 */
export const changes = <I = never>(source: Source<I>): Stream.Stream<Change, never, I> =>
  CircuitBreakers.changesOf((listener, fiber) => {
    const { listeners } = find(source, fiber)
    listeners.add(listener)
    return () => {
      listeners.delete(listener)
    }
  })

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
  options?: CircuitBreakers.HoldOptions
): Effect.Effect<void, never, I> => apply(source, CircuitBreakers.holdEvent("HeldOpen", options), options)

/**
 * Holds circuits closed: every call is admitted, whatever the outcomes, until
 * `release`, `reset` or the end of the hold.
 */
export const holdClosed = <I = never>(
  source: Source<I>,
  options?: CircuitBreakers.HoldOptions
): Effect.Effect<void, never, I> => apply(source, CircuitBreakers.holdEvent("HeldClosed", options), options)

/**
 * Ends a hold. What was held closes with clean counts.
 *
 * **Details**
 *
 * Without a key the hold on the breaker ends, and holds on single keys stay.
 */
export const release = <I = never>(
  source: Source<I>,
  options?: CircuitBreakers.OperatorOptions
): Effect.Effect<void, never, I> => apply(source, { _tag: "Release" }, options)

/**
 * Closes circuits, whatever their state, with clean counts.
 *
 * **Details**
 *
 * Without a key it is for all circuits of the breaker.
 */
export const reset = <I = never>(
  source: Source<I>,
  options?: CircuitBreakers.OperatorOptions
): Effect.Effect<void, never, I> => apply(source, { _tag: "Reset" }, options)

const apply = <I>(
  source: Source<I>,
  event: CircuitState.Event,
  options: CircuitBreakers.OperatorOptions | undefined
): Effect.Effect<void, never, I> => Effect.withFiber((fiber) => find(source, fiber).apply(event, options?.key))

/**
 * Returns the name and the options of a breaker as plain data, with all
 * defaults. Durations are in milliseconds.
 *
 * **Details**
 *
 * Of a class that `Service` did not make only its key is known. `options` are
 * those of a protected call.
 */
export const describe = (source: Source<unknown>, options?: AnyProtectOptions): Rules.Json => {
  const { key, ...outcomes } = options ?? {}
  const described: Rules.Json =
    source instanceof Circuit.Breaker
      ? { name: source.name, ...source.settings.described }
      : isServiceClass(source)
        ? { name: source.breaker, ...source.settings.described }
        : { name: source.key }
  return {
    ...described,
    ...(key === undefined ? undefined : { key }),
    ...(classifies(outcomes) ? { outcomes: describeOutcomes(outcomes) } : undefined)
  }
}

const isServiceClass = (source: Context.Key<unknown, CircuitBreaker>): source is ServiceClass<unknown, string> =>
  hasProperty(source, "settings") && hasProperty(source, "breaker")

const classifies = ({ classify, failureIf, ignore, retryAfter }: Outcome.Options): boolean =>
  classify !== undefined || failureIf !== undefined || ignore !== undefined || retryAfter !== undefined

/**
 * Options of a breaker in JSON.
 */
export type Config = Omit<Options, "classify" | "failureIf" | "ignore" | "retryAfter"> & {
  readonly failureIf?: string | ReadonlyArray<string> | undefined
  readonly ignore?: string | ReadonlyArray<string> | undefined
}

/**
 * Options of a breaker as they stand in JSON.
 */
export interface ConfigJson {
  readonly trip?: TripPolicy.ConfigJson
  readonly openFor?: Rules.DurationJson | Backoff.ConfigJson
  readonly maxOpenFor?: Rules.DurationJson
  readonly halfOpen?: {
    readonly probes?: number
    readonly successes?: number | Share
    readonly leaseFor?: Rules.DurationJson
    readonly pace?: Rules.DurationJson
  }
  readonly failureIf?: string | ReadonlyArray<string>
  readonly ignore?: string | ReadonlyArray<string>
  readonly dryRun?: boolean
  readonly log?: boolean
  readonly keys?: {
    readonly max?: number
    readonly idleFor?: Rules.DurationJson
  }
}

type Share = Exclude<HalfOpenOptions["successes"], number | undefined>

/**
 * Schema of a breaker's options in JSON, or in the environment through
 * `Config.schema` of Effect. A bad option is a `SchemaError` with its path.
 *
 * **Example** (Reading options)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { CircuitBreaker } from "effect-resilience"
 *
 * const program = Effect.gen(function*() {
 *   const options = yield* Schema.decodeUnknownEffect(CircuitBreaker.Config)({
 *     trip: { type: "failures", count: 3, of: 10 },
 *     openFor: "10 seconds",
 *     halfOpen: { probes: 2, successes: { count: 2, of: 3 } }
 *   })
 *   const breaker = yield* CircuitBreaker.make("payments", options)
 *   return CircuitBreaker.describe(breaker)["openFor"]
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => 10000
 * ```
 */
export const Config: Schema.Codec<Config, ConfigJson> = /* @__PURE__ */ (() => {
  const tags = Schema.optionalKey(Schema.Union([Schema.String, Schema.Array(Schema.String)]))
  const number = Schema.optionalKey(Schema.Number)
  // `resolve` refuses both and neither. Of two structs it would not be known which is meant.
  const share = Rules.struct({ count: number, ratio: number, of: Schema.Number }) as unknown as Schema.Codec<Share>
  return Rules.checked(
    Rules.struct({
      trip: Schema.optionalKey(TripPolicy.Config),
      openFor: Schema.optionalKey(Schema.Union([Rules.DurationInput, Backoff.Config])),
      maxOpenFor: Schema.optionalKey(Rules.DurationInput),
      halfOpen: Schema.optionalKey(
        Rules.struct({
          probes: number,
          successes: Schema.optionalKey(Schema.Union([Schema.Number, share])),
          leaseFor: Schema.optionalKey(Rules.DurationInput),
          pace: Schema.optionalKey(Rules.DurationInput)
        })
      ),
      failureIf: tags,
      ignore: tags,
      dryRun: Schema.optionalKey(Schema.Boolean),
      log: Schema.optionalKey(Schema.Boolean),
      keys: Schema.optionalKey(
        Rules.struct({
          max: number,
          idleFor: Schema.optionalKey(Rules.DurationInput)
        })
      )
    }),
    resolve
  )
})()
