/**
 * Views of shared circuits: how the state that a process goes by and the row
 * that a fleet shares come together.
 *
 * **Details**
 *
 * - A row's times are those of the table's clock. A view has them on the clock
 *   of the process, so that a wrong clock neither shortens nor lengthens a
 *   refusal.
 * - A process that cannot reach the table changes its view only. `keepsMine`
 *   decides which of both holds once the table is back.
 */
import * as CircuitState from "../../circuit/CircuitState.ts"

/**
 * Returns the state with its times moved by `millis` and its generation by
 * `generations`, and the identical state where both are 0.
 */
export const shift = <S extends CircuitState.CircuitState>(state: S, millis: number, generations: number): S => {
  if (millis === 0 && generations === 0) return state
  return { ...state, generation: state.generation + generations, ...times(state, millis) }
}

const times = (state: CircuitState.CircuitState, millis: number): Partial<CircuitState.CircuitState> => {
  // 0 is not a time: the circuit was always closed.
  const since = state.since === 0 ? 0 : state.since + millis
  switch (state._tag) {
    case "Closed":
      return state.votes === undefined
        ? { since }
        : { since, votes: state.votes.map(({ at, by }) => ({ by, at: at + millis })) }
    case "Open":
      return { since }
    case "HalfOpen":
      return {
        since,
        leases: state.leases.map((lease) => ({
          permit: lease.permit,
          since: lease.since + millis,
          until: lease.until + millis
        })),
        ignoredAt: state.ignoredAt + millis,
        notBefore: state.notBefore + millis
      }
    case "HeldOpen":
    case "HeldClosed":
      return state.until === undefined ? { since } : { since, until: state.until + millis }
  }
}

/**
 * Returns whether two states are the same. The evidence is not compared: rows are
 * without it, and the view of the process that saw it keeps it.
 */
export const isSame = (a: CircuitState.CircuitState, b: CircuitState.CircuitState): boolean =>
  JSON.stringify(withoutCause(a)) === JSON.stringify(withoutCause(b))

/**
 * Returns the state without the text of an error.
 */
export const withoutCause = <S extends CircuitState.CircuitState>(state: S): S =>
  "cause" in state && state.cause !== undefined ? { ...state, cause: undefined } : state

/**
 * Returns whether the local state of a process wins over the one that others wrote
 * meanwhile.
 *
 * **Details**
 *
 * - A hold goes before all else, and the later of two holds before the earlier.
 * - An open circuit whose time is not over goes before every state that is not
 *   newer. Theirs stays against a newer one too: a circuit that only this
 *   process saw recover has to be tried by all.
 * - Else the state that was taken later holds, and theirs where both were taken
 *   at one time.
 */
export const keepsMine = (mine: CircuitState.CircuitState, theirs: CircuitState.CircuitState, now: number): boolean => {
  if (isHolding(theirs, now)) return isHolding(mine, now) && mine.since > theirs.since
  if (isHolding(mine, now)) return true
  if (isRefusing(theirs, now)) return false
  return mine.since > theirs.since || (isRefusing(mine, now) && mine.since === theirs.since)
}

const isHolding = (state: CircuitState.CircuitState, now: number): boolean =>
  CircuitState.isHeld(state) && (state.until === undefined || now < state.until)

const isRefusing = (state: CircuitState.CircuitState, now: number): boolean =>
  state._tag === "Open" && now < CircuitState.openUntil(state)
