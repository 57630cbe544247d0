/**
 * States of circuits in words.
 */
import type * as CircuitState from "../src/circuit/CircuitState.ts"
import * as StateNames from "../src/circuit/internal/StateNames.ts"
import type * as ControlApi from "../src/control/ControlApi.ts"
import * as Format from "./format.ts"

/** Returns the next step of a circuit and its time, absent if it is closed. */
export const next = ({ retryAt, state }: ControlApi.Circuit, now: number): string | undefined => {
  switch (state._tag) {
    case "Closed":
      return undefined
    case "Open":
      return retryAt !== undefined && retryAt > now
        ? `Next probe in ${Format.span(retryAt - now)}.`
        : "The next call is a probe."
    case "HalfOpen":
      return retryAt !== undefined && retryAt > now
        ? `Next probe in ${Format.span(retryAt - now)}.`
        : `${Format.plural(state.leases.length, "probe")} running, ${state.successes} succeeded.`
    case "HeldOpen":
    case "HeldClosed":
      return state.until === undefined
        ? "Until released."
        : state.until > now
          ? `Ends in ${Format.span(state.until - now)}.`
          : "The hold is over."
  }
}

const why = ({ cause, reason }: CircuitState.Open | CircuitState.HalfOpen): string => StateNames.because(reason, cause)

/** Returns since when a circuit has its state, and why. Absent if it is closed. */
export const note = ({ state }: ControlApi.Circuit, now: number): string | undefined => {
  if (state._tag === "Closed") return undefined
  const since = Format.span(now - state.since)
  switch (state._tag) {
    case "Open":
      return Format.text(`Open for ${since}: ${why(state)}`)
    case "HalfOpen":
      return Format.text(`Half-open for ${since}, opened by ${why(state)}`)
    case "HeldOpen":
    case "HeldClosed":
      return Format.text(
        `Held${state.by === undefined ? "" : ` by ${state.by}`} for ${since}${state.reason === undefined ? "" : `: ${state.reason}`}`
      )
  }
}
