/**
 * Live circuits: a breaker's own circuit and those of its keys, with what they
 * have counted.
 *
 * **Details**
 *
 * - This module runs the pure machine of `CircuitState` on the cells of a
 *   `CircuitStore`. `CircuitBreaker` is made of it and is what services use.
 * - A call through a closed circuit reads one cell and counts. It asks no store
 *   and waits for nothing. Time is read only by policies that need it.
 * - A call is admitted and its outcome recorded exactly once, also when its
 *   fiber is interrupted between the two.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import * as CircuitState from "./CircuitState.ts"
import type * as CircuitStore from "./CircuitStore.ts"
import * as Options from "./Options.ts"
import * as Outcome from "./Outcome.ts"
import * as Refusal from "./Refusal.ts"
import * as TripPolicy from "./TripPolicy.ts"
import type * as Window from "./Window.ts"

/**
 * What a refusal says.
 */
export interface CircuitOpenDetails {
  /** Name of the breaker. */
  readonly breaker: string
  /** Key of the circuit, absent for the breaker's own. */
  readonly key: string | undefined
  /** State that refused the call. */
  readonly state: "Open" | "HalfOpen" | "HeldOpen"
  /** When the circuit took that state, in milliseconds since the epoch. */
  readonly since: number
  /** Why the circuit opened, or why it is held. */
  readonly reason: string | undefined
  /** Who holds the circuit open. */
  readonly by: string | undefined
  /** Milliseconds until a call may next be admitted, absent where nobody can know. */
  readonly retryAfterMillis: number | undefined
}

/**
 * Error of a call that a circuit refused. The call did not run.
 *
 * **Details**
 *
 * A circuit makes it without a stack, because a refusal is cheap only so.
 */
export class CircuitOpenError extends Data.TaggedError("CircuitOpenError")<CircuitOpenDetails> {
  /** Marks the error as a refusal. */
  get [Refusal.TypeId](): Refusal.TypeId {
    return Refusal.TypeId
  }

  /** When the circuit opened, in milliseconds since the epoch, where it is open. */
  get openedAt(): number | undefined {
    return this.state === "HalfOpen" ? undefined : this.since
  }

  /** How long until a call may next be admitted, absent where nobody can know. */
  get retryAfter(): Duration.Duration | undefined {
    return this.retryAfterMillis === undefined ? undefined : Duration.millis(this.retryAfterMillis)
  }

  override get message(): string {
    const circuit = label(this.breaker, this.key)
    const by = this.by === undefined ? "" : ` by ${this.by}`
    const why = this.reason === undefined ? "" : `: ${this.reason}`
    const when = this.retryAfterMillis === undefined ? "" : ` (next call in ${this.retryAfterMillis} ms)`
    const state =
      this.state === "HeldOpen"
        ? `held open${by}`
        : this.state === "Open"
          ? "open"
          : `half-open and ${when === "" ? "its probes are taken" : "waits before the next probe"}`
    return `Circuit ${circuit} is ${state}${why}${when}`
  }
}

const label = (name: string, key: string | undefined) => (key === undefined ? `"${name}"` : `"${name}" (${key})`)

// Makes a `CircuitOpenError` without the constructor of `Error`, which records a
// stack and takes a hundred times as long as the rest of a refusal.
const Stackless = function (
  this: { -readonly [K in keyof CircuitOpenDetails | "_tag"]: CircuitOpenError[K] },
  refused: Circuit,
  state: CircuitState.Open | CircuitState.HalfOpen | CircuitState.Held,
  retryAt: number | undefined,
  now: number
) {
  this._tag = "CircuitOpenError"
  this.breaker = refused.breaker.name
  this.key = refused.key
  this.state = state._tag as CircuitOpenError["state"] // a circuit held closed refuses nothing
  this.since = state.since
  this.reason = state.reason
  this.by = "by" in state ? state.by : undefined
  this.retryAfterMillis = retryAt === undefined ? undefined : Math.max(0, retryAt - now)
} as unknown as new (
  refused: Circuit,
  state: CircuitState.CircuitState,
  retryAt: number | undefined,
  now: number
) => CircuitOpenError // a function is a constructor, which its type does not say
Stackless.prototype = CircuitOpenError.prototype

/**
 * A breaker's options, resolved and checked.
 */
export interface Settings {
  readonly trip: TripPolicy.TripPolicy
  /** Returns how long the n-th opening lasts, in milliseconds, counted from 1. */
  readonly openMillis: (opening: number) => number | Effect.Effect<number>
  readonly maxOpenMillis: number
  readonly machine: CircuitState.Config
  readonly classify: Outcome.Classify
  readonly dryRun: boolean
  readonly log: boolean
  readonly maxKeys: number
  readonly idleMillis: number
  /** The options as plain data, with all defaults. */
  readonly described: Options.Json
  /** Functions and schedules among the options, which data cannot describe. */
  readonly functions: { readonly [option: string]: unknown }
}

/**
 * Change of a circuit's state.
 */
export interface Change {
  readonly name: string
  readonly key: string | undefined
  readonly from: CircuitState.CircuitState
  readonly to: CircuitState.CircuitState
}

/**
 * What a circuit has counted since it was made. Outcomes of calls are counted
 * whatever the circuit's state.
 */
export interface Counts {
  /** Calls that were admitted. */
  readonly calls: number
  readonly successes: number
  readonly failures: number
  readonly ignored: number
  /** Calls that took as long as the trip policy calls slow. */
  readonly slow: number
  /** Calls that were refused, or would have been in a dry run. */
  readonly refused: number
  /** Changes of state. */
  readonly changes: number
}

/**
 * The last failure that a circuit recorded.
 */
export interface LastFailure {
  /** When it was recorded, in milliseconds since the epoch. */
  readonly at: number
  readonly cause: Cause.Cause<unknown>
}

/**
 * What a circuit is and has done.
 */
export interface Status {
  readonly name: string
  readonly key: string | undefined
  readonly state: CircuitState.CircuitState
  readonly dryRun: boolean
  readonly counts: Counts
  /** Admitted calls that have not settled. */
  readonly inFlight: number
  /** Failures, or slow calls, in the window of each trip policy: none where the circuit is not closed. */
  readonly windows: ReadonlyArray<{
    readonly policy: TripPolicy.TripPolicy["_tag"]
    readonly hits: number
    readonly calls: number
  }>
  /** Latest outcomes, the newest last, at most 16. */
  readonly recent: ReadonlyArray<Outcome.Outcome["_tag"]>
  readonly lastFailure: LastFailure | undefined
  /** How long until a call may next be admitted: zero where it may now, absent where nobody can know. */
  readonly retryAfter: Duration.Duration | undefined
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

// Events that calls cause.
type CallEvent = Extract<CircuitState.Event, { readonly _tag: "Trip" | "Settle" }>

// What only circuits in trouble need, so that the others stay small.
interface Trouble {
  failures: number
  ignored: number
  slow: number
  refused: number
  changes: number
  lastFailure: LastFailure | undefined
  // Two bits an outcome, the newest last.
  outcomes: number
  /** Whether the store is being asked for an admission. */
  asking: boolean
  /** Generation of the outcome that the store is being told of. */
  telling: number | undefined
}

/**
 * Function that settles an admission by the exit of its call. Returns what is
 * left to do, if anything.
 */
export type Settle<in A = unknown, in E = unknown> = (exit: Exit.Exit<A, E>) => Effect.Effect<void> | undefined

/**
 * One live circuit.
 */
export class Circuit implements CircuitStore.Cell {
  readonly breaker: Breaker
  readonly key: string | undefined
  current: CircuitState.CircuitState = CircuitState.initial
  /** Order of the latest use among the keys of a breaker. */
  used = 0
  private calls = 0
  private successes = 0
  private trouble: Trouble | undefined = undefined
  // The window and the handler belong to one closed generation.
  private counting: CircuitState.CircuitState | undefined = undefined
  private window: Window.Window | undefined = undefined
  private handler: Settle | undefined = undefined

  constructor(breaker: Breaker, key: string | undefined) {
    this.breaker = breaker
    this.key = key
  }

  /** Name of the breaker. */
  get name(): string {
    return this.breaker.name
  }

  /** Admitted calls that have not settled. */
  get inFlight(): number {
    const { trouble } = this
    return this.calls - this.successes - (trouble === undefined ? 0 : trouble.failures + trouble.ignored)
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
  refuse(clock: Clock.Clock): CircuitOpenError | undefined {
    if (this.breaker.settings.dryRun) return undefined
    const now = clock.currentTimeMillisUnsafe()
    const refused = CircuitState.refusal(this.current, now, this.breaker.settings.machine)
    if (refused === undefined) return undefined
    this.troubles().refused++
    return new Stackless(this, this.current, refused.retryAt, now)
  }

  /**
   * Admits a call, or fails where the circuit refuses it.
   *
   * **Details**
   *
   * Run it where interruption is off; `restore` lets a wait for the store be
   * interrupted. `key` is the one that the call has. Every admission must be
   * settled.
   */
  admit(
    restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>,
    key: string | undefined = this.key
  ): Effect.Effect<Admission, CircuitOpenError> {
    return Effect.withFiber((fiber) => {
      const { settings, store } = this.breaker
      const clock = fiber.getRef(Clock.Clock)
      const now = clock.currentTimeMillisUnsafe()
      this.breaker.clock = clock
      const step = (state: CircuitState.CircuitState, at: number) =>
        CircuitState.transition(state, { _tag: "Admit" }, at, settings.machine)
      const { current } = this
      const [next, answer] = step(current, now)
      // What changes nothing is no question for the store.
      if (next === current) return this.admitted({ before: current, after: current, answer }, now, key)
      const trouble = this.troubles()
      // One question at a time: an open time that ends is no rush to the store.
      if (trouble.asking) {
        return this.admitted({ before: current, after: current, answer: { _tag: "Refused" } }, now, key)
      }
      const applied = store.update(this, now, step)
      if (isSuccess(applied)) return this.admitted(applied.value, now, key)
      trouble.asking = true
      const question = Effect.ensuring(
        applied,
        Effect.sync(() => {
          trouble.asking = false
        })
      )
      // The question goes on where the caller is interrupted, so that a permit
      // that comes too late is given back.
      return Effect.flatMap(Effect.forkDetach(question, { startImmediately: true }), (asked) =>
        Effect.flatMap(
          Effect.onInterrupt(restore(Fiber.join(asked)), () =>
            Effect.forkDetach(
              Effect.flatMap(Fiber.join(asked), (late) =>
                Effect.matchEffect(this.admitted(late, now, key), {
                  onFailure: () => Effect.void,
                  onSuccess: (admission) => this.record(Outcome.ignored, Cause.empty, admission) ?? Effect.void
                })
              )
            )
          ),
          (answer) => this.admitted(answer, now, key)
        )
      )
    })
  }

  private admitted(
    { after, answer, before }: CircuitStore.Applied<CircuitState.Decision>,
    start: number,
    key: string | undefined
  ): Effect.Effect<Admission, CircuitOpenError> {
    const report = this.report(before, after)
    let decided: Exit.Exit<Admission, CircuitOpenError>
    if (answer._tag === "Admitted") {
      this.calls++
      decided = Exit.succeed({ generation: key === this.key ? answer.generation : -1, permit: answer.permit, start })
    } else {
      this.troubles().refused++
      if (this.breaker.settings.dryRun) {
        this.calls++
        decided = Exit.succeed({ generation: -1, permit: 0, start })
      } else {
        decided = Exit.fail(new Stackless(this, after, answer._tag === "Refused" ? answer.retryAt : undefined, start))
      }
    }
    return report === undefined ? decided : Effect.andThen(report, decided)
  }

  /**
   * Returns the function that settles an admission by the exit of its call.
   */
  settleWith<A, E>(
    classify: Outcome.Classify<A, E> | undefined,
    admission: Admission
  ): (exit: Exit.Exit<A, E>) => Effect.Effect<void> | undefined {
    return (exit) => this.settle(classify, admission, exit)
  }

  private settle<A, E>(
    classify: Outcome.Classify<A, E> | undefined,
    admission: Admission,
    exit: Exit.Exit<A, E>
  ): Effect.Effect<void> | undefined {
    const classified: Outcome.Classify<A, E> = classify ?? this.breaker.settings.classify
    const cause = exit._tag === "Failure" ? exit.cause : Cause.empty
    let outcome: Outcome.Outcome
    try {
      outcome = checkOutcome(classified(exit))
    } catch (defect) {
      const recorded = this.record(Outcome.ignored, cause, admission)
      return recorded === undefined ? Effect.die(defect) : Effect.andThen(recorded, Effect.die(defect))
    }
    return this.record(outcome, cause, admission)
  }

  /**
   * Records the outcome of an admitted call. Returns what is left to do, if
   * anything.
   */
  record(outcome: Outcome.Outcome, cause: Cause.Cause<unknown>, admission: Admission): Effect.Effect<void> | undefined {
    const { settings, clock, timed } = this.breaker
    const tag = outcome._tag
    let now = 0
    let elapsed = 0
    if (tag !== "Success" || timed || admission.permit > 0) {
      now = clock.currentTimeMillisUnsafe()
      elapsed = now - admission.start
    }
    const slow = timed && elapsed >= this.breaker.slowMillis
    if (slow) this.troubles().slow++
    if (tag === "Success") {
      this.succeeded()
    } else {
      const trouble = this.troubles()
      trouble.outcomes = (trouble.outcomes << 2) | (tag === "Failure" ? 2 : 3)
      if (tag === "Failure") {
        trouble.failures++
        trouble.lastFailure = { at: now, cause }
      } else {
        trouble.ignored++
      }
    }
    const { current } = this
    if (current.generation !== admission.generation) return undefined
    if (current._tag === "HalfOpen") {
      // A slow probe is a failed one: the circuit would open again at once.
      const said = slow ? "Failure" : tag
      return this.open(outcome, said === "Failure", now, (openMillis) => ({
        _tag: "Settle",
        generation: admission.generation,
        permit: admission.permit,
        outcome: said,
        openMillis,
        reason: tag === "Failure" ? `a failed probe${because(", with", cause)}` : "a slow probe"
      }))
    }
    if (current._tag !== "Closed") return undefined
    if (this.counting !== current) this.count()
    const window = (this.window ??= TripPolicy.window(settings.trip))
    const reason = TripPolicy.record(settings.trip, window, tag, elapsed, now)
    if (reason === undefined || this.trouble?.telling === current.generation) return undefined
    return this.open(outcome, true, this.breaker.clock.currentTimeMillisUnsafe(), (openMillis) => ({
      _tag: "Trip",
      generation: admission.generation,
      openMillis,
      reason: tag === "Failure" ? reason + because(", the last with", cause) : reason
    }))
  }

  /**
   * Applies an event of an operator.
   */
  apply(event: CircuitState.Event): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      const applied = this.update(event, fiber.getRef(Clock.Clock).currentTimeMillisUnsafe())
      return applied ?? Effect.void
    })
  }

  // How long it would stay open matters only where the event may open it.
  private open(
    outcome: Outcome.Outcome,
    opens: boolean,
    now: number,
    event: (openMillis: number) => CallEvent
  ): Effect.Effect<void> | undefined {
    if (!opens) return this.tell(event(0), now)
    const { maxOpenMillis, openMillis } = this.breaker.settings
    const hinted =
      outcome._tag === "Failure" && Duration.isDuration(outcome.retryAfter) ? Duration.toMillis(outcome.retryAfter) : 0
    const bounded = (millis: number) => event(Math.min(maxOpenMillis, Math.max(millis, hinted)))
    const millis = openMillis(CircuitState.nextOpening(this.current, now))
    return typeof millis === "number"
      ? this.tell(bounded(millis), now)
      : Effect.flatMap(millis, (computed) => this.tell(bounded(computed), now) ?? Effect.void)
  }

  // A call does not wait until the store has heard of its outcome.
  private tell(event: CallEvent, now: number): Effect.Effect<void> | undefined {
    const update = this.update(event, now)
    if (update === undefined || !this.breaker.shared) return update
    const trouble = this.troubles()
    trouble.telling = event.generation
    const told = Effect.sync(() => {
      trouble.telling = undefined
    })
    return Effect.asVoid(Effect.forkDetach(Effect.ensuring(update, told)))
  }

  private update(event: CircuitState.Event, now: number): Effect.Effect<void> | undefined {
    const { settings, store } = this.breaker
    const applied = store.update(this, now, (state, at) => CircuitState.transition(state, event, at, settings.machine))
    return isSuccess(applied)
      ? this.report(applied.value.before, applied.value.after)
      : Effect.flatMap(applied, ({ after, before }) => this.report(before, after) ?? Effect.void)
  }

  /** Reports a change that another process made. */
  changed(before: CircuitState.CircuitState, after: CircuitState.CircuitState): Effect.Effect<void> {
    return this.report(before, after) ?? Effect.void
  }

  private report(from: CircuitState.CircuitState, to: CircuitState.CircuitState): Effect.Effect<void> | undefined {
    if (from.generation === to.generation || (from._tag === "Closed" && to._tag === "Closed")) return undefined
    this.troubles().changes++
    const { breaker, key } = this
    const change: Change = { name: breaker.name, key, from, to }
    for (const listener of breaker.listeners) listener(change)
    // A logger that fails is no reason for a call to fail.
    return breaker.settings.log ? Effect.ignoreCause(logChange(change)) : undefined
  }

  // Begins to count for the current closed state.
  private count(): void {
    const state = this.current
    // A store may write an equal state again, which is no reason to forget.
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
      return this.settle(undefined, { generation: admitted.generation, permit: 0, start: 0 }, exit)
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
    const { trouble } = this
    if (trouble !== undefined) trouble.outcomes = (trouble.outcomes << 2) | 1
  }

  private troubles(): Trouble {
    return (this.trouble ??= {
      failures: 0,
      ignored: 0,
      slow: 0,
      refused: 0,
      changes: 0,
      lastFailure: undefined,
      outcomes: successes(this.successes),
      asking: false,
      telling: undefined
    })
  }

  /**
   * Returns what the circuit is and has done, at `now` in milliseconds since
   * the epoch. Reading changes nothing.
   */
  status(now: number): Status {
    const { breaker, trouble, window } = this
    const { settings } = breaker
    // A hold on the breaker is one on its keys.
    const current = CircuitState.isHeld(breaker.main.current) ? breaker.main.current : this.current
    const refused = CircuitState.refusal(current, now, settings.machine)
    const counted =
      window !== undefined && this.counting?.generation === current.generation
        ? window
        : TripPolicy.window(settings.trip)
    return {
      name: breaker.name,
      key: this.key,
      state: current,
      dryRun: settings.dryRun,
      counts: {
        calls: this.calls,
        successes: this.successes,
        failures: trouble?.failures ?? 0,
        ignored: trouble?.ignored ?? 0,
        slow: trouble?.slow ?? 0,
        refused: trouble?.refused ?? 0,
        changes: trouble?.changes ?? 0
      },
      inFlight: this.inFlight,
      windows: current._tag === "Closed" ? TripPolicy.read(settings.trip, counted, now) : [],
      recent: recent(trouble === undefined ? successes(this.successes) : trouble.outcomes),
      lastFailure: trouble?.lastFailure,
      retryAfter:
        refused === undefined
          ? Duration.zero
          : refused.retryAt === undefined
            ? undefined
            : Duration.millis(Math.max(0, refused.retryAt - now))
    }
  }

  /**
   * Returns whether the circuit may be forgotten at `now`: it is closed, or has
   * been ready to close for as long as idle circuits are kept, and not in use.
   */
  isDisposable(now: number): boolean {
    const { current } = this
    if (this.inFlight > 0) return false
    const idle = (since: number) => now - since >= this.breaker.settings.idleMillis
    switch (current._tag) {
      case "Closed":
        return true
      case "Open":
        return idle(CircuitState.openUntil(current))
      case "HalfOpen":
        return idle(Math.max(current.since, current.notBefore))
      default:
        return current.until !== undefined && idle(current.until)
    }
  }
}

const tags = ["Ignored", "Success", "Failure", "Ignored"] as const

// Until something else happened, the latest outcomes are successes.
const successes = (count: number): number => (count === 0 ? 0 : 0x55555555 >>> Math.max(0, 32 - 2 * count))

const recent = (outcomes: number): ReadonlyArray<Outcome.Outcome["_tag"]> => {
  const list: Array<Outcome.Outcome["_tag"]> = []
  for (let shift = 30; shift >= 0; shift -= 2) {
    const code = (outcomes >>> shift) & 3
    if (code !== 0) list.push(tags[code] as Outcome.Outcome["_tag"]) // two bits index four tags
  }
  return list
}

// One line about a cause, if there is one. Errors of any type come here, so
// reading one may throw.
const because = (words: string, cause: Cause.Cause<unknown>): string =>
  cause.reasons.length === 0 ? "" : `${words} ${summary(cause)}`

const summary = (cause: Cause.Cause<unknown>): string => {
  try {
    const error = Cause.squash(cause)
    const text =
      error instanceof Error
        ? `${error.name}: ${error.message}`
        : typeof error === "string"
          ? error
          : JSON.stringify(error)
    return text.length > 200 ? `${text.slice(0, 199)}…` : text
  } catch {
    return "an error that cannot be shown"
  }
}

// A classifier that TypeScript did not check may return anything.
const checkOutcome = (outcome: Outcome.Outcome | undefined): Outcome.Outcome =>
  outcome?._tag === "Success" || outcome?._tag === "Failure" || outcome?._tag === "Ignored"
    ? outcome
    : Options.reject("Outcome", "classify", outcome, "a function that returns an Outcome")

const isSuccess = <A>(effect: Effect.Effect<A>): effect is Exit.Success<A> =>
  Exit.isExit(effect) && Exit.isSuccess(effect)

const logChange = ({ from, key, name, to }: Change): Effect.Effect<void> => {
  const circuit = `Circuit ${label(name, key)}`
  const held = CircuitState.isHeld(to)
  const by = held && to.by !== undefined ? ` by ${to.by}` : ""
  const why = "reason" in to && to.reason !== undefined ? `: ${to.reason}` : ""
  const over = CircuitState.isHeld(from) && from.until !== undefined && to.since >= from.until
  const message =
    to._tag === "Closed"
      ? // Only probes close a circuit without clean counts.
        `${circuit} CLOSED, ${to.openings > 0 ? "service recovered" : over ? "the hold is over" : "by hand"}`
      : to._tag === "HalfOpen"
        ? `${circuit} transitioning to HALF_OPEN`
        : to._tag === "Open"
          ? `${circuit} OPEN after ${to.reason}, for ${to.openMillis} ms`
          : `${circuit} ${to._tag === "HeldOpen" ? "HELD_OPEN" : "HELD_CLOSED"}${by}${why}`
  return (to._tag === "Open" || to._tag === "HeldOpen" ? Effect.logWarning : Effect.logInfo)(message).pipe(
    Effect.annotateLogs({
      "circuit.name": name,
      ...(key === undefined ? undefined : { "circuit.key": key }),
      "circuit.from": from._tag,
      "circuit.to": to._tag
    })
  )
}

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

/**
 * A named circuit with the circuits of its keys.
 */
export class Breaker {
  /** Name of the breaker. */
  readonly name: string
  /** The options, resolved and checked. */
  readonly settings: Settings
  /** Store that keeps the circuits in step. */
  readonly store: CircuitStore.CircuitStore["Service"]
  /** Whether the store shares the circuits with other processes. */
  readonly shared: boolean
  /** The breaker's own circuit. Where it is held, its keys are too. */
  readonly main: Circuit
  /** Called for each change of state. */
  readonly listeners: Set<(change: Change) => void> = new Set()
  /** Clock of the fiber that was last admitted. */
  clock: Clock.Clock
  /** Whether the policy looks at how long calls take, or at when they end. */
  readonly timed: boolean
  /** Whether a success only ends a streak of failures. */
  readonly plain: boolean
  /** How long a slow call takes, in milliseconds. */
  readonly slowMillis: number
  private keyed: Map<string, Circuit> | undefined = undefined
  private uses = 0
  private sweepAt: number
  private sweptAt = 0
  private sweptUses = 0

  constructor(
    name: string,
    settings: Settings,
    store: CircuitStore.CircuitStore["Service"],
    clock: Clock.Clock,
    shared: boolean
  ) {
    this.name = name
    this.settings = settings
    this.store = store
    this.shared = shared
    this.clock = clock
    this.timed = TripPolicy.isTimed(settings.trip)
    this.plain = settings.trip._tag === "Consecutive" && settings.classify === Outcome.classify
    this.slowMillis = TripPolicy.slowAfterMillis(settings.trip)
    this.sweepAt = settings.maxKeys
    this.main = new Circuit(this, undefined)
    store.attach(this.main)
  }

  /**
   * Returns the circuit of a key, made if need be, or the breaker's own while
   * that is held.
   */
  circuit(key: string | undefined, clock: Clock.Clock): Circuit {
    if (key === undefined || CircuitState.isHeld(this.main.current)) return this.main
    return this.keyedCircuit(key, clock)
  }

  /** Returns the circuit of a key, made if need be. */
  keyedCircuit(key: string, clock: Clock.Clock): Circuit {
    const keyed = (this.keyed ??= new Map<string, Circuit>())
    let circuit = keyed.get(key)
    if (circuit === undefined) {
      this.sweep(keyed, clock.currentTimeMillisUnsafe())
      circuit = new Circuit(this, key)
      keyed.set(key, circuit)
      this.store.attach(circuit)
    }
    circuit.used = ++this.uses
    return circuit
  }

  /** Returns the circuit of a key, if there is one. */
  existing(key: string | undefined): Circuit | undefined {
    return key === undefined ? this.main : this.keyed?.get(key)
  }

  /** What the breaker's own circuit is and has done. */
  get status(): Effect.Effect<Status> {
    return this.statusOf(undefined)
  }

  /** Returns what the circuit of a key is and has done. A key that was never used is closed. */
  statusOf(key: string | undefined): Effect.Effect<Status> {
    return Effect.map(Clock.currentTimeMillis, (now) => (this.existing(key) ?? new Circuit(this, key)).status(now))
  }

  /** Returns the breaker's own circuit and those of its keys. */
  circuits(): ReadonlyArray<Circuit> {
    return this.keyed === undefined ? [this.main] : [this.main, ...this.keyed.values()]
  }

  /**
   * Applies an event of an operator to the circuit of a key, made if need be.
   * Without a key, a reset is for every circuit, and a hold or its release for
   * the breaker's own, which holds its keys.
   */
  apply(event: CircuitState.Event, key: string | undefined): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      if (key !== undefined) return this.keyedCircuit(key, fiber.getRef(Clock.Clock)).apply(event)
      return event._tag === "Reset"
        ? Effect.forEach(this.circuits(), (circuit) => circuit.apply(event), { discard: true })
        : this.main.apply(event)
    })
  }

  /** Stops to keep the circuits in step. */
  close(): void {
    for (const circuit of this.circuits()) this.store.detach(circuit)
  }

  // Forgets keys that were idle for long, then the least recently used ones
  // until a tenth of the places is free.
  private sweep(keyed: Map<string, Circuit>, now: number): void {
    const { idleMillis, maxKeys } = this.settings
    const full = keyed.size >= this.sweepAt
    const due = Math.abs(now - this.sweptAt) >= idleMillis
    if (!full && !due) return
    const disposable = [...keyed.values()]
      .filter((circuit) => circuit.isDisposable(now))
      .sort((a, b) => a.used - b.used)
    const surplus = full ? keyed.size - Math.ceil(maxKeys * 0.9) + 1 : 0
    disposable.forEach((circuit, i) => {
      // The others of this list were used after the last sweep, or are not surplus.
      if (i >= surplus && !(due && circuit.used <= this.sweptUses)) return
      keyed.delete(circuit.key as string) // the circuits in the map have keys
      this.store.detach(circuit)
    })
    if (due) {
      this.sweptAt = now
      this.sweptUses = this.uses
    }
    // Where nothing could be forgotten, another search waits for more to search.
    this.sweepAt = Math.max(maxKeys, Math.ceil(keyed.size * 1.1))
  }
}
