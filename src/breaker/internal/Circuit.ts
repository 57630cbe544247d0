/**
 * One live circuit: its state, and what it has counted.
 *
 * **Details**
 *
 * - This module runs the pure machine of `CircuitState`. `Breaker` makes the
 *   circuits, and `CircuitBreaker` is what services use.
 * - A call through a closed circuit counts and does nothing else. Time is read
 *   only by policies that need it.
 * - A call is admitted and its outcome recorded exactly once, also when its
 *   fiber is interrupted between the two.
 */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import * as CircuitState from "../../circuit/CircuitState.ts"
import type * as Window from "../../circuit/internal/Window.ts"
import * as TripPolicy from "../../circuit/TripPolicy.ts"
import * as Redact from "../../core/internal/Redact.ts"
import * as Rules from "../../core/internal/Rules.ts"
import * as Text from "../../core/internal/Text.ts"
import * as Outcome from "../../core/Outcome.ts"
import * as CircuitStore from "../../store/CircuitStore.ts"
import type * as BreakerOptions from "./BreakerOptions.ts"
import * as CircuitChange from "./CircuitChange.ts"
import * as CircuitOpenError from "./CircuitOpenError.ts"

/**
 * Part of a breaker that its circuits share.
 */
export interface Common {
  readonly name: string
  readonly options: BreakerOptions.Resolved
  /** Numbers that the state machine works by. */
  readonly machine: CircuitState.Config
  readonly classify: Outcome.Classify
  /** Returns how long the n-th opening lasts, in milliseconds, counted from 1. */
  readonly openMillis: (opening: number) => number | Effect.Effect<number>
  readonly listeners: ReadonlySet<CircuitChange.Listener>
  readonly observer: CallObserver | undefined
  /** Clock of the fiber that was last admitted. */
  clock: Clock.Clock
  /** Whether how long calls take, or when they end, is needed. */
  readonly timed: boolean
  /** Whether a success only ends a streak of failures. */
  readonly plain: boolean
  /** How long a slow call takes, in milliseconds. */
  readonly slowMillis: number
}

/**
 * Observer of single calls. Its functions run as part of them, and must not
 * throw.
 */
export interface CallObserver {
  /**
   * Called when the outcome of a call is recorded, of each call where the breaker is timed. A number of
   * milliseconds below 0, or NaN, says that it is not known.
   */
  readonly settled: (circuit: Circuit, outcome: Outcome.Outcome["_tag"], millis: number) => void
  /** Called for each refusal, also those of a dry run. */
  readonly refused: (error: CircuitOpenError.CircuitOpenError) => void
  /** Called for each circuit of a key that is made. */
  readonly made: (circuit: Circuit) => void
  /** Called for each circuit of a key that is forgotten. */
  readonly forgot: (circuit: Circuit) => void
}

/**
 * Admission of one call, to be settled once.
 *
 * **Details**
 *
 * `generation` is -1 for a call whose outcome moves nothing: one that only a dry
 * run admitted, or one with a key that went through the breaker's own circuit.
 * `permit` is above 0 for a probe.
 */
export interface Admission {
  readonly generation: number
  readonly permit: number
  /** When the call was admitted, in milliseconds since the epoch. */
  readonly start: number
}

/**
 * Function that settles an admission by the exit of its call. Returns an effect
 * that is left to run, if any.
 */
export type Settle<in A = unknown, in E = unknown> = (exit: Exit.Exit<A, E>) => Effect.Effect<void> | undefined

/**
 * Function that lets an effect be interrupted again.
 */
export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/**
 * Result of a call that asks to run.
 */
export type Admitted = Admission | CircuitOpenError.CircuitOpenError

/**
 * Pure step from a state to the next one.
 */
export type Step = (state: CircuitState.CircuitState, now: number) => CircuitState.CircuitState

/**
 * The last failure that a circuit recorded.
 */
export interface LastFailure {
  /** When it was recorded, in milliseconds since the epoch. */
  readonly at: number
  readonly cause: Cause.Cause<unknown>
}

/**
 * Counts of circuits that had trouble. The others have none, and stay small.
 */
export interface Tally {
  failures: number
  ignored: number
  slow: number
  refused: number
  changes: number
  /** Permits that were given to probes. */
  probes: number
  lastFailure: LastFailure | undefined
  /** Latest outcomes, two bits each, the newest last. */
  outcomes: number
}

/**
 * One live circuit, which is the cell of its store: here of `CircuitStore.local`,
 * and in `SharedCircuit` of one that may need time. Its fields are for reading.
 */
export class Circuit implements CircuitStore.Cell {
  readonly breaker: Common
  /** Key of the circuit, absent for the breaker's own. */
  readonly key: string | undefined
  /** State as this process knows it. Only the store writes it. */
  current: CircuitState.CircuitState = CircuitState.initial
  /** Order of the latest use among the keys of a breaker. */
  used = 0
  /** Calls that were admitted. */
  calls = 0
  successes = 0
  tally: Tally | undefined = undefined
  /** Closed state that the window and the handler belong to. */
  counting: CircuitState.CircuitState | undefined = undefined
  window: Window.Window | undefined = undefined
  private handler: Settle | undefined = undefined

  constructor(breaker: Common, key: string | undefined) {
    this.breaker = breaker
    this.key = key
  }

  /** Name of the breaker. */
  get name(): string {
    return this.breaker.name
  }

  /** Reports a change that another process made. */
  changed(before: CircuitState.CircuitState, after: CircuitState.CircuitState): Effect.Effect<void> {
    return this.report(before, after) ?? Effect.void
  }

  /** Admitted calls that have not settled. */
  get inFlight(): number {
    const { tally } = this
    return this.calls - this.successes - (tally === undefined ? 0 : tally.failures + tally.ignored)
  }

  /**
   * Admits a call to the circuit, which must be closed at this moment, and
   * returns the function that settles it by its exit. The function is the same
   * for all calls where nothing about a call is needed.
   */
  enter<A, E>(clock: Clock.Clock, classify: Outcome.Classify<A, E> | undefined): Settle<A, E> {
    const { breaker } = this
    if (this.counting !== this.current) this.count()
    breaker.clock = clock
    this.calls++
    return classify === undefined && !breaker.timed
      ? (this.handler as Settle) // made by `count`
      : this.settleWith(classify, {
          generation: this.current.generation,
          permit: 0,
          start: clock.currentTimeMillisUnsafe()
        })
  }

  /**
   * Returns the error for a call that the circuit refuses at this moment, and
   * `undefined` where an admission may succeed.
   */
  refuse(clock: Clock.Clock): CircuitOpenError.CircuitOpenError | undefined {
    const { machine, options } = this.breaker
    if (options.dryRun) return undefined
    const now = clock.currentTimeMillisUnsafe()
    const refused = CircuitState.refusal(this.current, now, machine)
    return refused === undefined ? undefined : this.refused(this.current, refused.retryAt, now)
  }

  private refused(
    state: CircuitState.CircuitState,
    retryAt: number | undefined,
    now: number
  ): CircuitOpenError.CircuitOpenError {
    this.tallied().refused++
    const { name, observer } = this.breaker
    const error = CircuitOpenError.make(name, this.key, state, retryAt, now)
    observer?.refused(error)
    return error
  }

  /**
   * Admits a call, or says why the circuit refuses it.
   *
   * **Details**
   *
   * Run it where interruption is off; `restore` lets a wait for a store be
   * interrupted. `key` is the one that the call has. Every admission must be
   * settled.
   */
  admit(clock: Clock.Clock, _restore: Restore, key: string | undefined = this.key): Effect.Effect<Admitted> {
    const now = clock.currentTimeMillisUnsafe()
    this.breaker.clock = clock
    // The local store answers at once.
    const { value } = CircuitStore.local.update(this, now, (state, at) =>
      CircuitState.admit(state, at, this.breaker.machine)
    ) as Exit.Success<CircuitStore.Applied<CircuitState.Answer>>
    return this.answer(value, now, key)
  }

  /** Reports the step of an admission, and says what comes of the call. */
  protected answer(
    { after, answer, before }: CircuitStore.Applied<CircuitState.Answer>,
    now: number,
    key: string | undefined
  ): Effect.Effect<Admitted> {
    const left = this.report(before, after)
    const decided = this.decide(answer, after, now, key)
    return left === undefined ? Exit.succeed(decided) : Effect.as(left, decided)
  }

  private decide(
    answer: CircuitState.Answer,
    state: CircuitState.CircuitState,
    now: number,
    key: string | undefined
  ): Admitted {
    const isRefused = answer._tag === "Refused"
    const error = isRefused ? this.refused(state, answer.retryAt, now) : undefined
    if (error !== undefined && !this.breaker.options.dryRun) return error
    this.calls++
    // A circuit of keys counts for every key that it is given.
    if (isRefused || (this.key === undefined && key !== undefined)) return { generation: -1, permit: 0, start: now }
    if (answer.permit > 0) this.tallied().probes++
    return { generation: answer.generation, permit: answer.permit, start: now }
  }

  /**
   * Returns the function that settles an admission by the exit of its call.
   */
  settleWith<A, E>(classify: Outcome.Classify<A, E> | undefined, admission: Admission): Settle<A, E> {
    return (exit) => this.settle(classify, admission, exit)
  }

  private settle<A, E>(
    classify: Outcome.Classify<A, E> | undefined,
    admission: Admission,
    exit: Exit.Exit<A, E>
  ): Effect.Effect<void> | undefined {
    const classified: Outcome.Classify<A, E> = classify ?? this.breaker.classify
    const cause = exit._tag === "Failure" ? exit.cause : Cause.empty
    let outcome: Outcome.Outcome
    try {
      outcome = checkOutcome(classified(exit))
    } catch (defect) {
      const died = Exit.die(defect)
      const left = this.record(Outcome.ignored, cause, admission)
      return left === undefined ? died : Effect.flatMap(left, () => died)
    }
    return this.record(outcome, cause, admission)
  }

  /**
   * Records the outcome of an admitted call. Returns what is left to do, if
   * anything.
   */
  record(outcome: Outcome.Outcome, cause: Cause.Cause<unknown>, admission: Admission): Effect.Effect<void> | undefined {
    const { clock, machine, observer, options, slowMillis, timed } = this.breaker
    const { generation, permit, start } = admission
    const { _tag } = outcome
    const now = _tag === "Success" && !timed && permit === 0 ? 0 : clock.currentTimeMillisUnsafe()
    const elapsed = now - start
    const slow = timed && elapsed >= slowMillis
    observer?.settled(this, _tag, elapsed)
    this.countOutcome(_tag, slow, now, cause)
    const { current } = this
    if (current.generation !== generation) return undefined
    if (current._tag === "HalfOpen") {
      // A slow probe is a failed one: the circuit would open again at once.
      const said = slow ? "Failure" : _tag
      const why = { reason: `a ${_tag === "Failure" ? "failed" : "slow"} probe`, cause: evidence(_tag, cause) }
      const settle =
        (openMillis: number): Step =>
        (state, at) =>
          CircuitState.settle(state, { generation, permit, outcome: said, openMillis, ...why }, at, machine)
      return said === "Failure" ? this.open(outcome, now, settle, false) : this.tell(settle(0), now, false)
    }
    if (current._tag !== "Closed") return undefined
    if (this.counting !== current) this.count()
    const { trip } = options
    const tripped = TripPolicy.record(trip, (this.window ??= TripPolicy.window(trip)), _tag, elapsed, now)
    if (tripped === undefined) return undefined
    const why = { ...tripped, cause: evidence(_tag, cause) }
    const opens =
      (openMillis: number): Step =>
      (state, at) =>
        CircuitState.trip(state, { generation, openMillis, ...why }, at)
    return this.open(outcome, clock.currentTimeMillisUnsafe(), opens, true)
  }

  private countOutcome(tag: Outcome.Outcome["_tag"], slow: boolean, now: number, cause: Cause.Cause<unknown>): void {
    if (slow) this.tallied().slow++
    if (tag === "Success") return this.succeeded()
    const tally = this.tallied()
    tally.outcomes = (tally.outcomes << 2) | (tag === "Failure" ? 2 : 3)
    if (tag === "Failure") {
      tally.failures++
      tally.lastFailure = { at: now, cause }
    } else {
      tally.ignored++
    }
  }

  // Applies a step that opens the circuit, once it is known for how long.
  private open(
    outcome: Outcome.Outcome,
    now: number,
    step: (openMillis: number) => Step,
    trips: boolean
  ): Effect.Effect<void> | undefined {
    const { openMillis, options } = this.breaker
    const hinted =
      outcome._tag === "Failure" && Duration.isDuration(outcome.retryAfter) ? Duration.toMillis(outcome.retryAfter) : 0
    const tell = (millis: number) => this.tell(step(Math.min(options.maxOpenFor, Math.max(millis, hinted))), now, trips)
    const millis = openMillis(CircuitState.nextOpening(this.current, now))
    return typeof millis === "number"
      ? tell(millis)
      : Effect.flatMap(millis, (computed) => tell(computed) ?? Effect.void)
  }

  /**
   * Applies the step that the outcome of a call causes. Returns what is left to
   * do, if anything. `trips` says whether it opens a circuit that is closed.
   */
  protected tell(step: Step, now: number, _trips: boolean): Effect.Effect<void> | undefined {
    return this.apply(step, now)
  }

  /**
   * Applies the step of an operator. Returns what is left to do, if anything.
   */
  apply(step: Step, now: number): Effect.Effect<void> | undefined {
    const applied = this.update(step, now, false)
    return isApplied(applied) ? this.report(applied.value.before, applied.value.after) : this.whenApplied(applied)
  }

  /** Has the store apply a step. Where it is eager, the circuit takes the step at once. */
  protected update(step: Step, now: number, _eager: boolean): Effect.Effect<CircuitStore.Applied<undefined>> {
    return CircuitStore.local.update(this, now, unanswered(step))
  }

  /** Reports a change once the store has applied it. */
  protected whenApplied(applied: Effect.Effect<CircuitStore.Applied<undefined>>): Effect.Effect<void> {
    return Effect.flatMap(applied, ({ after, before }) => this.changed(before, after))
  }

  /**
   * Stops keeping the circuit in step with others.
   */
  close(): void {}

  /**
   * Reports a change of state. Returns what is left to do, if anything.
   */
  protected report(from: CircuitState.CircuitState, to: CircuitState.CircuitState): Effect.Effect<void> | undefined {
    if (from.generation === to.generation || (from._tag === "Closed" && to._tag === "Closed")) return undefined
    this.tallied().changes++
    const { listeners, name, options } = this.breaker
    const change = { name, key: this.key, from, to }
    const logged = options.log ? CircuitChange.log(change) : undefined
    try {
      CircuitChange.tell(listeners, change)
    } catch (defect) {
      return quietly(
        Effect.flatMap(logged ?? Effect.void, () =>
          Effect.logError(
            `A listener of changes threw: ${Text.printable(Redact.credentials(Cause.pretty(Cause.die(defect))))}`
          )
        )
      )
    }
    return logged && quietly(logged)
  }

  // Begins to count for the current closed state.
  private count(): void {
    const state = this.current
    // A store may write an equal state again: the counts stay.
    if (this.counting?.generation !== state.generation) this.window = undefined
    this.counting = state
    // Bound, because that takes less memory than a closure.
    this.handler = this.settled.bind(this, state)
  }

  // Settles a call of a policy that needs to know nothing about it but its exit.
  private settled(
    admitted: CircuitState.CircuitState,
    exit: Exit.Exit<unknown, unknown>
  ): Effect.Effect<void> | undefined {
    if (exit._tag === "Failure" || !this.breaker.plain) {
      return this.settle(undefined, { generation: admitted.generation, permit: 0, start: Number.NaN }, exit)
    }
    this.succeeded()
    // The window of a plain breaker is a streak, and made by the first failure.
    if (this.window !== undefined && this.current.generation === admitted.generation) {
      ;(this.window as Window.Streak).hits = 0
    }
    return undefined
  }

  private succeeded(): void {
    this.successes++
    const { tally } = this
    if (tally !== undefined) tally.outcomes = (tally.outcomes << 2) | 1
  }

  private tallied(): Tally {
    return (this.tally ??= noTally(this.successes))
  }
}

/**
 * Returns a step for a store, without an answer.
 */
export const unanswered =
  (step: Step): CircuitStore.Step<undefined> =>
  (state, now) => [step(state, now), undefined]

/**
 * Returns whether a store has applied a step already.
 */
export const isApplied = <A>(effect: Effect.Effect<A>): effect is Exit.Success<A> =>
  Exit.isExit(effect) && Exit.isSuccess(effect)

/**
 * Returns the tally of a circuit that has had only successes.
 */
export const noTally = (successes: number): Tally => ({
  failures: 0,
  ignored: 0,
  slow: 0,
  refused: 0,
  changes: 0,
  probes: 0,
  lastFailure: undefined,
  outcomes: successes === 0 ? 0 : 0x55555555 >>> Math.max(0, 32 - 2 * successes)
})

const evidence = (tag: Outcome.Outcome["_tag"], cause: Cause.Cause<unknown>) =>
  tag === "Failure" ? Text.evidence(cause) : undefined

// A classifier that TypeScript did not check may return anything.
const checkOutcome = (outcome: Outcome.Outcome | undefined): Outcome.Outcome =>
  outcome?._tag === "Success" || outcome?._tag === "Failure" || outcome?._tag === "Ignored"
    ? outcome
    : Rules.reject("Outcome", "classify", outcome, "a function that returns an Outcome")

// A logger that fails must not fail a call.
const quietly = (logged: Effect.Effect<void>): Effect.Effect<void> => Effect.catchCause(logged, () => Effect.void)

/**
 * Returns whether the next operation of a fiber is certain to run.
 *
 * **Details**
 *
 * An operation that returns an `onExit` has it installed by the next operation.
 * Where the scheduler may let the fiber yield between the two, an interruption
 * there would lose the `onExit`.
 */
export const isFramed = (fiber: Fiber.Fiber<unknown, unknown>): boolean => {
  const { cache } = fiber
  return (
    cache.preventYield ||
    (cache.scheduler.shouldYield === countsOperations && fiber.currentOpCount + 1 < cache.maxOpsBeforeYield)
  )
}

const countsOperations = Scheduler.MixedScheduler.prototype.shouldYield
