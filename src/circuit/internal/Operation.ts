/**
 * Operator actions on circuits, as data. Code, control plane, dashboard and
 * command line name them alike, and one function applies them.
 */
import * as Redact from "../../core/internal/Redact.ts"
import * as CircuitState from "../CircuitState.ts"

/**
 * Names of the actions: commands of the CLI, paths of the control plane, words
 * of its log.
 */
export const actions = ["hold-open", "hold-closed", "release", "reset"] as const

export type Action = (typeof actions)[number]

/**
 * Action of an operator on one circuit.
 */
export interface Operation {
  readonly action: Action
  /** How long a hold lasts, in milliseconds: until it is released where absent. */
  readonly forMillis?: number | undefined
  /** Why. Only a hold keeps it. */
  readonly reason?: string | undefined
  /** Who does it. Only a hold keeps it. */
  readonly by?: string | undefined
}

/**
 * Returns the state after an operation, identical if nothing changes.
 */
export const apply = (
  { action, forMillis, ...who }: Operation,
  state: CircuitState.CircuitState,
  now: number
): CircuitState.CircuitState => {
  // Refusals, rows and logs show both to everybody.
  const [by, reason] = [who.by, who.reason].map((text) => text && Redact.credentials(text))
  switch (action) {
    case "hold-open":
      return CircuitState.hold(state, { as: "HeldOpen", forMillis, reason, by }, now)
    case "hold-closed":
      return CircuitState.hold(state, { as: "HeldClosed", forMillis, reason, by }, now)
    case "release":
      return CircuitState.release(state, now)
    case "reset":
      return CircuitState.reset(state, now)
  }
}
