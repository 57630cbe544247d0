/**
 * The state machine of a circuit, as a pure function over plain data.
 *
 * **Details**
 *
 * - `Closed` admits calls. `Trip` opens it.
 * - `Open` refuses calls until its time is over; the first admission after that
 *   makes it `HalfOpen`. Nothing moves by itself and reading changes nothing.
 * - `HalfOpen` admits probes, each with a lease, and refuses the rest. The
 *   outcomes of the probes close the circuit or open it again.
 * - `HeldOpen` and `HeldClosed` are an operator's: outcomes do not move them.
 *   `Release`, `Reset` and the end of the hold lead to `Closed`.
 * - Every edge adds one to `generation`. An outcome carries the generation of
 *   its admission, and one of an older generation returns the identical state.
 * - All times are milliseconds since the epoch, on the clock of the store.
 *
 * **Example** (Opening a circuit and letting a probe close it)
 *
 * ```ts
 * import { CircuitState } from "effect-resilience"
 *
 * const config = { probes: 1, needed: 1, of: 1, leaseMillis: 30_000, paceMillis: 1_000 }
 * const step = (state: CircuitState.CircuitState, event: CircuitState.Event, now: number) =>
 *   CircuitState.transition(state, event, now, config)
 *
 * const trip = { _tag: "Trip", generation: 0, openMillis: 5_000, reason: "5 consecutive failures" } as const
 * const [open] = step(CircuitState.initial, trip, 0)
 * const [halfOpen, admitted] = step(open, { _tag: "Admit" }, 5_000)
 * const probe = { _tag: "Settle", generation: 2, permit: 1, outcome: "Success", openMillis: 0, reason: "" } as const
 * const [closed] = step(halfOpen, probe, 5_100)
 *
 * admitted // => { _tag: "Admitted", generation: 2, permit: 1 }
 * const tags = [open._tag, halfOpen._tag, closed._tag]
 * tags // => ["Open", "HalfOpen", "Closed"]
 * ```
 */
import * as Schema from "effect/Schema"
import * as Text from "../core/internal/Text.ts"

/** Longest reason and name of who holds a circuit. A state is a row that each process of a fleet reads. */
const [maxReason, maxBy] = [500, 100]

/**
 * State of a circuit that admits calls.
 */
export interface Closed {
  readonly _tag: "Closed"
  /** Edges taken so far. */
  readonly generation: number
  /** When it closed, or 0 where it never was anything else. */
  readonly since: number
  /** Openings since the count began again. */
  readonly openings: number
  /** How long it was last open, in milliseconds. */
  readonly openMillis: number
  /** Processes that say that it has to open, where several have to. */
  readonly votes?: ReadonlyArray<Vote> | undefined
}

/**
 * Vote of one process to open a circuit that is closed for all.
 */
export interface Vote {
  /** Process that votes to open it. */
  readonly by: string
  /** When it voted. */
  readonly at: number
}

/**
 * State of a circuit that refuses calls until its time is over.
 */
export interface Open {
  readonly _tag: "Open"
  readonly generation: number
  /** When it opened. */
  readonly since: number
  /** Openings since the count began again, this one included. */
  readonly openings: number
  /** How long it stays open, in milliseconds. */
  readonly openMillis: number
  /** Rule that opened it, such as "5 consecutive failures". It holds no text of an error. */
  readonly reason: string
  /**
   * Last failure that it opened on, in one line without credentials. Absent where
   * none is known: a store leaves it out of its rows unless `details` says otherwise.
   */
  readonly cause?: string | undefined
  /** Failures, or slow calls, that opened it. */
  readonly failures?: number | undefined
}

/**
 * Permit of a probe, which ends by itself.
 */
export interface Lease {
  readonly permit: number
  /** When the probe was admitted. */
  readonly since: number
  /** When another probe may take its place. */
  readonly until: number
}

/**
 * State of a circuit that admits probes.
 */
export interface HalfOpen {
  readonly _tag: "HalfOpen"
  readonly generation: number
  /** When the open time was over and the first probe admitted. */
  readonly since: number
  readonly openings: number
  readonly openMillis: number
  /** Rule that had opened the circuit. */
  readonly reason: string
  /** Last failure that it had opened on, as in `Open`. */
  readonly cause?: string | undefined
  /** Permits given so far. */
  readonly permits: number
  /** Probes that have not settled. */
  readonly leases: ReadonlyArray<Lease>
  /** Probes that succeeded. */
  readonly successes: number
  /** Probes that failed. */
  readonly failures: number
  /** When the last probe that said nothing ended, or `since` where there was none. */
  readonly ignoredAt: number
  /** When the next probe may start, after one that said nothing. */
  readonly notBefore: number
}

/**
 * State of a circuit that an operator keeps open or closed.
 */
export interface Held {
  readonly _tag: "HeldOpen" | "HeldClosed"
  readonly generation: number
  /** When the hold began. */
  readonly since: number
  /** When the hold ends by itself. */
  readonly until?: number | undefined
  /** Why it is held. */
  readonly reason?: string | undefined
  /** Who holds it. */
  readonly by?: string | undefined
}

/**
 * State of a circuit.
 */
export type CircuitState = Closed | Open | HalfOpen | Held

/**
 * Numbers that the state machine works by.
 */
export interface Config {
  /** Probes that may run at one time. */
  readonly probes: number
  /** Successful probes that close the circuit. */
  readonly needed: number
  /** Probes among which `needed` have to succeed. */
  readonly of: number
  /** How long a probe keeps its permit, in milliseconds. */
  readonly leaseMillis: number
  /** How long to wait after a probe that said nothing, in milliseconds. */
  readonly paceMillis: number
}

/**
 * Input of the state machine.
 */
export type Event =
  /** A call asks to run. */
  | { readonly _tag: "Admit" }
  /** The window of a closed circuit says that it has to open. */
  | {
      readonly _tag: "Trip"
      readonly generation: number
      readonly openMillis: number
      readonly reason: string
      readonly cause?: string | undefined
      /** Failures, or slow calls, in the window. */
      readonly failures?: number | undefined
    }
  /** A probe ended. `openMillis`, `reason` and `cause` count where it opens the circuit. */
  | {
      readonly _tag: "Settle"
      readonly generation: number
      readonly permit: number
      readonly outcome: "Success" | "Failure" | "Ignored"
      readonly openMillis: number
      readonly reason: string
      readonly cause?: string | undefined
    }
  /** An operator keeps the circuit open or closed. */
  | {
      readonly _tag: "Hold"
      readonly as: Held["_tag"]
      /** How long the hold lasts, in milliseconds: until it is released where absent. */
      readonly forMillis?: number | undefined
      readonly reason?: string | undefined
      readonly by?: string | undefined
    }
  /** An operator ends a hold. */
  | { readonly _tag: "Release" }
  /** An operator closes the circuit, whatever its state. */
  | { readonly _tag: "Reset" }

/**
 * Answer of the state machine.
 *
 * **Details**
 *
 * `permit` is 0 for a call through a closed circuit and above for a probe.
 * `retryAt` is when a call may next be admitted, absent where it is unknown.
 */
export type Decision =
  | { readonly _tag: "Admitted"; readonly generation: number; readonly permit: number }
  | { readonly _tag: "Refused"; readonly retryAt?: number | undefined }
  | { readonly _tag: "Done" }

/**
 * Answer of the state machine to an admission.
 */
export type Answer = Exclude<Decision, { readonly _tag: "Done" }>

/**
 * State that every circuit begins with.
 */
export const initial: Closed = { _tag: "Closed", generation: 0, since: 0, openings: 0, openMillis: 0 }

const done: Decision = { _tag: "Done" }

/**
 * Returns the state after an event, and the answer to who caused it.
 *
 * **Details**
 *
 * An event that changes nothing returns the identical state. Each kind of event
 * has a function of its own, which takes the event without its tag.
 */
export const transition = (
  state: CircuitState,
  event: Event,
  now: number,
  config: Config
): readonly [CircuitState, Decision] => {
  switch (event._tag) {
    case "Admit":
      return admit(state, now, config)
    case "Trip":
      return [trip(state, event, now), done]
    case "Settle":
      return [settle(state, event, now, config), done]
    case "Hold":
      return [hold(state, event, now), done]
    case "Release":
      return [release(state, now), done]
    case "Reset":
      return [reset(state, now), done]
  }
}

type Data<Tag extends Event["_tag"]> = Omit<Extract<Event, { readonly _tag: Tag }>, "_tag">

/**
 * Returns the state after a call asked to run, and whether it may.
 */
export const admit = (state: CircuitState, now: number, config: Config): readonly [CircuitState, Answer] => {
  const met = refusal(state, now, config)
  if (met !== undefined) return [state, met]
  switch (state._tag) {
    case "Closed":
      return admitted(state, 0)
    case "HeldOpen":
    case "HeldClosed":
      return admitted(holdEnded(state, now) ? reset(state, now) : state, 0)
    case "Open": {
      const { cause, generation, openMillis, openings, reason } = state
      return probe(
        {
          _tag: "HalfOpen",
          generation: generation + 1,
          since: now,
          openings,
          openMillis,
          reason,
          ...caused(cause),
          permits: 0,
          leases: [],
          successes: 0,
          failures: 0,
          ignoredAt: now,
          notBefore: now
        },
        now,
        config
      )
    }
    case "HalfOpen":
      return probe(state, now, config)
  }
}

const probe = (state: HalfOpen, now: number, { leaseMillis }: Config) => {
  const permit = state.permits + 1
  const lease: Lease = { permit, since: now, until: now + leaseMillis }
  return admitted({ ...state, permits: permit, leases: [...liveLeases(state, now), lease] }, permit)
}

const admitted = (state: CircuitState, permit: number) =>
  [state, { _tag: "Admitted", generation: state.generation, permit }] as const

/**
 * Returns the refusal that an admission would meet, or `undefined` where a call
 * would be admitted.
 */
export const refusal = (
  state: CircuitState,
  now: number,
  config: Config
): Extract<Decision, { readonly _tag: "Refused" }> | undefined => {
  if (state._tag === "Open" && !isOver(state.since, openUntil(state), now)) return refused(openUntil(state))
  if (state._tag === "HeldOpen" && !holdEnded(state, now)) return refused(state.until)
  if (state._tag === "HalfOpen") {
    if (liveLeases(state, now).length >= config.probes) return refused(undefined)
    if (!isOver(state.ignoredAt, state.notBefore, now)) return refused(state.notBefore)
  }
  return undefined
}

const refused = (retryAt: number | undefined) => ({ _tag: "Refused", retryAt }) as const

/**
 * Returns the state after the window of a closed circuit said that it has to
 * open.
 */
export const trip = (state: CircuitState, event: Data<"Trip">, now: number): CircuitState =>
  state._tag === "Closed" && state.generation === event.generation ? open(state, event, now, event.failures) : state

/**
 * Returns the state after a probe ended.
 */
export const settle = (state: CircuitState, event: Data<"Settle">, now: number, config: Config): CircuitState => {
  if (state._tag !== "HalfOpen" || state.generation !== event.generation) return state
  const { outcome, permit } = event
  const successes = state.successes + (outcome === "Success" ? 1 : 0)
  const failures = state.failures + (outcome === "Failure" ? 1 : 0)
  if (successes >= config.needed) return closed(state, now, state.openings, state.openMillis)
  if (failures > config.of - config.needed) return open(state, event, now, failures)
  const leases = state.leases.filter((lease) => lease.permit !== permit)
  return outcome === "Ignored"
    ? { ...state, leases, ignoredAt: now, notBefore: now + config.paceMillis }
    : { ...state, leases, successes, failures }
}

const open = (
  state: CircuitState,
  { cause, openMillis, reason }: Pick<Open, "cause" | "openMillis" | "reason">,
  now: number,
  failures: number | undefined
): Open => ({
  _tag: "Open",
  generation: state.generation + 1,
  since: now,
  openings: nextOpening(state, now),
  openMillis,
  reason,
  ...caused(cause),
  ...(failures === undefined ? undefined : { failures })
})

const caused = (cause: string | undefined) => (cause === undefined ? undefined : { cause })

const closed = (state: CircuitState, now: number, openings: number, openMillis: number): Closed => ({
  _tag: "Closed",
  generation: state.generation + 1,
  since: now,
  openings,
  openMillis
})

/**
 * Returns the state after an operator took hold of the circuit. A reason is cut
 * to 500 characters, and who holds it to 100.
 */
export const hold = (state: CircuitState, { as, by, forMillis, reason }: Data<"Hold">, now: number): Held => ({
  _tag: as,
  generation: state.generation + 1,
  since: now,
  until: forMillis === undefined ? undefined : now + forMillis,
  reason: reason === undefined ? undefined : Text.cut(reason, maxReason),
  by: by === undefined ? undefined : Text.cut(by, maxBy)
})

/**
 * Returns the state after an operator ended a hold.
 */
export const release = (state: CircuitState, now: number): CircuitState => (isHeld(state) ? reset(state, now) : state)

/**
 * Returns the state after an operator closed the circuit.
 */
export const reset = (state: CircuitState, now: number): Closed => closed(state, now, 0, 0)

/**
 * Returns whether an operator holds the circuit.
 */
export const isHeld = (state: CircuitState): state is Held => state._tag === "HeldOpen" || state._tag === "HeldClosed"

/**
 * Returns when the time of an open circuit is over.
 */
export const openUntil = (state: Open): number => state.since + state.openMillis

/**
 * Returns which opening the next one is, counted from 1.
 *
 * **Details**
 *
 * The count begins again once the circuit has stayed closed as long as it was
 * last open.
 */
export const nextOpening = (state: CircuitState, now: number): number => {
  if (isHeld(state)) return 1
  return state._tag === "Closed" && now - state.since >= state.openMillis ? 1 : state.openings + 1
}

/**
 * Returns the leases that have not ended.
 */
export const liveLeases = (state: HalfOpen, now: number): ReadonlyArray<Lease> =>
  state.leases.filter((lease) => !isOver(lease.since, lease.until, now))

// Before its begin, a span of time counts as over: the clock was set back, and
// the circuit would wait until it has caught up.
const isOver = (since: number, until: number, now: number): boolean => now >= until || now < since

// An operator's hold ends at its time and not earlier, whatever the clock does.
const holdEnded = (state: Held, now: number): boolean => now >= (state.until ?? Number.POSITIVE_INFINITY)

const Millis = /* @__PURE__ */ (() => Schema.Finite)()
const Length = /* @__PURE__ */ (() => Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0)))()
const Count = /* @__PURE__ */ (() => Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)))()

/**
 * Schema of a circuit's state, for stores.
 */
export const CircuitState: Schema.Codec<CircuitState> = /* @__PURE__ */ (() => {
  const held = {
    generation: Count,
    since: Millis,
    until: Schema.optional(Millis),
    reason: Schema.optional(Schema.String),
    by: Schema.optional(Schema.String)
  }
  const cause = Schema.optional(Schema.String)
  const opened = { generation: Count, since: Millis, openings: Count, openMillis: Length }
  return Schema.Union([
    Schema.TaggedStruct("Closed", {
      ...opened,
      votes: Schema.optional(Schema.Array(Schema.Struct({ by: Schema.String, at: Millis })))
    }),
    Schema.TaggedStruct("Open", { ...opened, reason: Schema.String, cause, failures: Schema.optional(Count) }),
    Schema.TaggedStruct("HalfOpen", {
      ...opened,
      reason: Schema.String,
      cause,
      permits: Count,
      leases: Schema.Array(Schema.Struct({ permit: Count, since: Millis, until: Millis })),
      successes: Count,
      failures: Count,
      ignoredAt: Millis,
      notBefore: Millis
    }),
    Schema.TaggedStruct("HeldOpen", held),
    Schema.TaggedStruct("HeldClosed", held)
  ])
})()
