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

/**
 * Returns the generation to go on from after a row that cannot be read, by a time
 * on the table's clock. Processes may know the row as it was before it was spoilt,
 * and would write theirs back over one that seems older. No circuit has changed
 * as often as there were milliseconds.
 */
export const anew = (millis: number): number => Math.trunc(Math.max(0, Math.min(millis, most / 8)))
