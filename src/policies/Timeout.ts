/**
 * Timeouts: a deadline for an effect, after which it is interrupted.
 *
 * **Details**
 *
 * - `timeout` fails with a `TimeoutExceededError`; `orElse` and `orElseSucceed`
 *   answer in its place. Each acts on its own deadline only: a
 *   `TimeoutExceededError` of another timeout, or Effect's `TimeoutError`,
 *   passes through like any other error of the work.
 * - At the deadline the work is interrupted and its finalizers are awaited
 *   before the caller continues. A value that arrives after the deadline is
 *   dropped. A defect or an error that arrives after it follows the
 *   `TimeoutExceededError` in the cause.
 * - When the caller is interrupted, the work is interrupted and awaited.
 * - The work runs in a fiber of its own that has the context of the caller, and
 *   that is interruptible also where the caller is not.
 * - Time is that of the fiber's `Clock`. Work that does not wait, or that is
 *   done within the turn of the event loop in which it began, starts no timer.
 *
 * **Gotchas**
 *
 * - Work that cannot be interrupted delays the error until it is done.
 * - Work that holds the thread cannot be timed out: the time is counted from
 *   the moment when the work waits for the first time.
 * - Fibers that the work forks with `Effect.forkChild` end with the work.
 *
 * **Example** (Setting a deadline for a call)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Timeout } from "effect-resilience"
 *
 * const search = Effect.never.pipe(Timeout.timeout("20 millis", { operation: "search" }))
 *
 * const error = await Effect.runPromise(Effect.flip(search))
 *
 * error.message // => "Operation \"search\" timed out after 20ms"
 * ```
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { hasProperty } from "effect/Predicate"
import type * as Scheduler from "effect/Scheduler"
import * as Schema from "effect/Schema"
import * as Combinator from "../core/internal/Combinator.ts"
import * as ConfigSchema from "../core/internal/ConfigSchema.ts"
import * as Redact from "../core/internal/Redact.ts"
import * as Rules from "../core/internal/Rules.ts"
import * as PolicyObserver from "./internal/PolicyObserver.ts"

const module = "Timeout"

/**
 * Options of a timeout.
 */
export interface Options {
  /** Time that the work may take: finite and more than zero. */
  readonly after: Duration.Input
  /** Name of the work, for the error: not empty. Default: none. */
  readonly operation?: string | undefined
}

/**
 * Options of a timeout, all there and checked. Durations are in milliseconds.
 */
export interface Resolved {
  readonly after: number
  readonly operation: string | undefined
}

/**
 * Defaults of the options.
 */
export const defaults = { operation: undefined } as const

/**
 * Error of a timeout whose deadline has passed.
 */
export class TimeoutExceededError extends Data.TaggedError("TimeoutExceededError")<{
  /** Name of what was timed, if it has one. */
  readonly operation: string | undefined
  /** How long the work was allowed to take. */
  readonly after: Duration.Duration
}> {
  override get message(): string {
    const operation = this.operation === undefined ? "" : ` ${JSON.stringify(this.operation)}`
    return `Operation${operation} timed out after ${Duration.format(this.after)}`
  }
}

/**
 * Checks options and fills in the defaults. Throws an `InvalidOptionError`.
 */
export const resolve = (after: Duration.Input | Options, others?: Omit<Options, "after">): Resolved => {
  const options: Options = isOptions(after) ? { ...after, ...others } : { ...others, after }
  const operation = options.operation ?? defaults.operation
  return {
    after: Rules.millis(module, "after", options.after),
    // Errors, metrics, spans and descriptions show it.
    operation: operation === undefined ? undefined : Redact.credentials(Rules.name(module, "operation", operation))
  }
}

/**
 * Returns options as JSON that `Config` reads.
 */
export const describe = (after: Duration.Input | Options, others?: Omit<Options, "after">): ConfigJson => {
  const { operation, ...resolved } = resolve(after, others)
  return operation === undefined ? resolved : { ...resolved, operation }
}

/**
 * Interrupts an effect that has not ended after a duration, and fails with a
 * `TimeoutExceededError`.
 *
 * **Example** (Telling two deadlines apart)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Timeout } from "effect-resilience"
 *
 * const program = Effect.never.pipe(
 *   Timeout.timeout("10 millis", { operation: "attempt" }),
 *   Timeout.timeout("10 seconds", { operation: "total" }),
 *   Effect.catchTag("TimeoutExceededError", (error) => Effect.succeed(error.operation))
 * )
 *
 * await Effect.runPromise(program) // => "attempt"
 * ```
 */
export const timeout: {
  (
    after: Duration.Input | Options,
    others?: Omit<Options, "after">
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | TimeoutExceededError, R>
  <A, E, R>(
    self: Effect.Effect<A, E, R>,
    after: Duration.Input | Options,
    others?: Omit<Options, "after">
  ): Effect.Effect<A, E | TimeoutExceededError, R>
} = /* @__PURE__ */ Combinator.make((after: Duration.Input | Options, others?: Omit<Options, "after">) => {
  const limit = limitOf(after, others)
  return <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | TimeoutExceededError, R> =>
    within(self, limit, (late) =>
      Effect.failCause(
        Cause.fromReasons<E | TimeoutExceededError>([Cause.makeFailReason(new TimeoutExceededError(limit)), ...late])
      )
    )
})

/**
 * Interrupts an effect that has not ended after a duration, and continues with
 * the effect that `f` returns.
 *
 * **Details**
 *
 * Errors of the work, timeouts inside it among them, do not run the fallback.
 * Neither does a defect that the work ends with after the deadline: it becomes
 * the outcome.
 *
 * **Example** (Answering from a cache)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Timeout } from "effect-resilience"
 *
 * const prices = Effect.never.pipe(Timeout.orElse("10 millis", () => Effect.succeed("cached prices")))
 *
 * await Effect.runPromise(prices) // => "cached prices"
 * ```
 */
export const orElse: {
  <A2, E2, R2>(
    after: Duration.Input | Options,
    f: (error: TimeoutExceededError) => Effect.Effect<A2, E2, R2>,
    others?: Omit<Options, "after">
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A | A2, E | E2, R | R2>
  <A, E, R, A2, E2, R2>(
    self: Effect.Effect<A, E, R>,
    after: Duration.Input | Options,
    f: (error: TimeoutExceededError) => Effect.Effect<A2, E2, R2>,
    others?: Omit<Options, "after">
  ): Effect.Effect<A | A2, E | E2, R | R2>
} = /* @__PURE__ */ Combinator.make(
  <A2, E2, R2>(
    after: Duration.Input | Options,
    f: (error: TimeoutExceededError) => Effect.Effect<A2, E2, R2>,
    others?: Omit<Options, "after">
  ) => {
    const limit = limitOf(after, others)
    Rules.fn(module, "orElse", f)
    return <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A | A2, E | E2, R | R2> =>
      within(self, limit, (late): Effect.Effect<A2, E | E2, R2> =>
        late.some(Cause.isDieReason) ? Effect.failCause(Cause.fromReasons(late)) : f(new TimeoutExceededError(limit))
      )
  }
)

/**
 * Interrupts an effect that has not ended after a duration, and succeeds with
 * the value that `f` returns.
 *
 * **Details**
 *
 * The default is always given as a function, so any value can be one: `0`,
 * `""`, `null` and `undefined` too.
 *
 * **Example** (Giving a default)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Timeout } from "effect-resilience"
 *
 * const suggestions = Effect.never.pipe(Timeout.orElseSucceed("10 millis", () => []))
 *
 * await Effect.runPromise(suggestions) // => []
 * ```
 */
export const orElseSucceed: {
  <A2>(
    after: Duration.Input | Options,
    f: (error: TimeoutExceededError) => A2,
    others?: Omit<Options, "after">
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A | A2, E, R>
  <A, E, R, A2>(
    self: Effect.Effect<A, E, R>,
    after: Duration.Input | Options,
    f: (error: TimeoutExceededError) => A2,
    others?: Omit<Options, "after">
  ): Effect.Effect<A | A2, E, R>
} = /* @__PURE__ */ Combinator.make(
  <A2>(after: Duration.Input | Options, f: (error: TimeoutExceededError) => A2, others?: Omit<Options, "after">) => {
    Rules.fn(module, "orElseSucceed", f)
    return orElse(after, (error) => Effect.succeed(f(error)), others)
  }
)

/**
 * Options of a timeout in JSON.
 */
export interface ConfigJson {
  readonly after: ConfigSchema.DurationJson
  readonly operation?: string
}

/**
 * Schema of a timeout's options in JSON, or in the environment through
 * `Config.schema` of Effect: `after` as text such as `"2 seconds"` or in
 * milliseconds, and `operation`.
 */
export const Config: Schema.Codec<{ readonly after: Duration.Duration; readonly operation?: string }, ConfigJson> =
  /* @__PURE__ */ (() =>
    ConfigSchema.checked(
      ConfigSchema.struct({ after: ConfigSchema.DurationInput, operation: Schema.optionalKey(Schema.String) }),
      resolve
    ))()

const isOptions = (input: Duration.Input | Options): input is Options => hasProperty(input, "after")

interface Limit {
  readonly after: Duration.Duration
  readonly operation: string | undefined
}

const limitOf = (...options: Parameters<typeof resolve>): Limit => {
  const { after, operation } = resolve(...options)
  return { after: Duration.millis(after), operation }
}

/**
 * Runs `self` in a fiber of its own, and continues with `expired` once the
 * deadline has passed and that fiber has ended.
 */
const within = <A, E, R, A2, E2, R2>(
  self: Effect.Effect<A, E, R>,
  { after, operation }: Limit,
  expired: (late: ReadonlyArray<Cause.Reason<E>>) => Effect.Effect<A2, E2, R2>
): Effect.Effect<A | A2, E | E2, R | R2> =>
  // Fibers are started while registering: from then on, an interruption of the caller runs the returned effect.
  Effect.callback(function (resume) {
    // A callback is registered by the fiber that runs it.
    const caller = Fiber.getCurrent()!
    // The context of the fiber that runs `self` has the services of `self`.
    const fork = Effect.runForkWith(caller.context as Context.Context<R>)
    const work = fork(self)
    const done = work.pollUnsafe()
    if (done !== undefined) return resume(done)

    const clock = caller.getRef(Clock.Clock)
    const start = clock.monotonicTimeNanosUnsafe()
    let timer: Fiber.Fiber<void> | undefined
    let rang: Exit.Exit<void> | undefined
    let settled = false

    // Starting and stopping a timer costs more than all the rest, and much work is done before the next turn.
    nextTurn(this, () => {
      if (settled) return
      timer = fork(Effect.suspend(() => clock.sleep(remaining(after, clock.monotonicTimeNanosUnsafe() - start))))
      timer.addObserver((exit) => {
        if (settled) return
        rang = exit
        fork(Fiber.interruptAs(work, caller.id))
      })
    })

    const settle = () => {
      settled = true
      timer?.interruptUnsafe(caller.id)
    }

    work.addObserver((exit) => {
      settle()
      if (rang === undefined) return resume(exit)
      const late = lateReasons(exit)
      // A clock that fails is not a deadline that has passed.
      if (rang._tag === "Failure") return resume(Effect.failCause(Cause.fromReasons([...rang.cause.reasons, ...late])))
      resume(
        Effect.suspend(() => {
          PolicyObserver.current()?.timedOut(operation)
          return expired(late)
        })
      )
    })

    return Effect.suspend(() => {
      settle()
      return Effect.flatMap(Effect.andThen(Fiber.interrupt(work), Fiber.await(work)), (exit) => {
        const defects = lateReasons(exit).filter(Cause.isDieReason)
        return defects.length === 0 ? Effect.void : Effect.failCause(Cause.fromReasons(defects))
      })
    })
  })

// A timer counts in milliseconds.
const remaining = (after: Duration.Duration, elapsedNanos: bigint): Duration.Duration =>
  elapsedNanos < 1_000_000n
    ? after
    : Duration.max(Duration.subtract(after, Duration.nanos(elapsedNanos)), Duration.zero)

// One dispatcher for all timeouts of a scheduler, as each takes a turn of the event loop.
const dispatchers = /* @__PURE__ */ new WeakMap<Scheduler.Scheduler, Scheduler.SchedulerDispatcher>()

const nextTurn = (scheduler: Scheduler.Scheduler, task: () => void): void => {
  let dispatcher = dispatchers.get(scheduler)
  if (dispatcher === undefined) {
    dispatcher = scheduler.makeDispatcher()
    dispatchers.set(scheduler, dispatcher)
  }
  dispatcher.scheduleTask(task, 0)
}

/**
 * Returns the errors and defects of work that was interrupted.
 */
const lateReasons = <A, E>(exit: Exit.Exit<A, E>): ReadonlyArray<Cause.Reason<E>> =>
  exit._tag === "Success" ? [] : exit.cause.reasons.filter((reason) => !Cause.isInterruptReason(reason))
