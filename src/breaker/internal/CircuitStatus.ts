/**
 * Status of circuits: state and counts, as plain data.
 */
import * as Duration from "effect/Duration"
import * as CircuitState from "../../circuit/CircuitState.ts"
import * as TripPolicy from "../../circuit/TripPolicy.ts"
import type * as Outcome from "../../core/Outcome.ts"
import * as Circuit from "./Circuit.ts"

/**
 * Counts of a circuit since it was made. Outcomes of calls are counted whatever
 * the circuit's state.
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
 * State and counts of a circuit.
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
  readonly windows: ReadonlyArray<TripPolicy.Count>
  /** Latest outcomes, the newest last, at most 16. */
  readonly recent: ReadonlyArray<Outcome.Outcome["_tag"]>
  readonly lastFailure: Circuit.LastFailure | undefined
  /** How long until a call may next be admitted: zero where it may now, absent where it is unknown. */
  readonly retryAfter: Duration.Duration | undefined
}

/**
 * Returns the status of a circuit at `now` in milliseconds since the
 * epoch. Reading changes nothing. `state` is the one that its calls meet.
 */
export const make = (circuit: Circuit.Circuit, state: CircuitState.CircuitState, now: number): Status => {
  const { breaker, calls, counting, inFlight, key, successes, window } = circuit
  const { machine, options } = breaker
  const { changes, failures, ignored, lastFailure, outcomes, refused, slow } =
    circuit.tally ?? Circuit.noTally(successes)
  const refusal = CircuitState.refusal(state, now, machine)
  const counted = counting?.generation === state.generation ? window : undefined
  return {
    name: breaker.name,
    key,
    state,
    dryRun: options.dryRun,
    counts: { calls, successes, failures, ignored, slow, refused, changes },
    inFlight,
    windows:
      state._tag === "Closed" ? TripPolicy.read(options.trip, counted ?? TripPolicy.window(options.trip), now) : [],
    recent: recent(outcomes),
    lastFailure,
    retryAfter:
      refusal === undefined
        ? Duration.zero
        : refusal.retryAt === undefined
          ? undefined
          : Duration.millis(Math.max(0, refusal.retryAt - now))
  }
}

const tags = ["Ignored", "Success", "Failure", "Ignored"] as const

const recent = (outcomes: number): ReadonlyArray<Outcome.Outcome["_tag"]> => {
  const list: Array<Outcome.Outcome["_tag"]> = []
  for (let shift = 30; shift >= 0; shift -= 2) {
    const code = (outcomes >>> shift) & 3
    if (code !== 0) list.push(tags[code] as Outcome.Outcome["_tag"]) // two bits index four tags
  }
  return list
}
