/**
 * Bound of the counts in rows: nothing counts that far, so a row with a higher
 * one was spoilt. One more than the highest number of all is none, and a state
 * with it could not be written.
 */
import type * as CircuitState from "../../circuit/CircuitState.ts"

export const most = 2 ** 50

const fields = new Set(["generation", "openings", "failures", "permits", "successes"])

/**
 * Returns whether the counts of a state that was read can be true.
 */
export const isPlausible = (state: CircuitState.CircuitState): boolean =>
  Object.entries(state).every(([field, value]) => !fields.has(field) || Number(value ?? 0) <= most)
