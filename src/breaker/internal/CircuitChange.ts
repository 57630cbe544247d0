/**
 * Changes of state: who hears of them, and what the log says.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import { label, printable, why } from "./CircuitRefusal.ts"
import * as CircuitState from "../../circuit/CircuitState.ts"

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
 * Function that hears of changes.
 */
export type Listener = (change: Change) => void

/**
 * Calls every listener, and then throws what the last one that threw did.
 */
export const tell = (listeners: Iterable<Listener>, change: Change): void => {
  let thrown: { readonly defect: unknown } | undefined
  for (const listener of listeners) {
    try {
      listener(change)
    } catch (defect) {
      thrown = { defect }
    }
  }
  if (thrown !== undefined) throw thrown.defect
}

/**
 * Logs a change: a Warning for open, else an Info.
 */
export const log = ({ from, key, name, to }: Change): Effect.Effect<void> =>
  Effect.updateService(
    (to._tag === "Open" || to._tag === "HeldOpen" ? Effect.logWarning : Effect.logInfo)(
      `Circuit ${label(name, key)} ${words(from, to)}`
    ),
    References.CurrentLogAnnotations,
    (annotations) => ({
      ...annotations,
      "circuit.name": printable(name),
      ...(key === undefined ? undefined : { "circuit.key": printable(key) }),
      "circuit.from": from._tag,
      "circuit.to": to._tag
    })
  )

const words = (from: CircuitState.CircuitState, to: CircuitState.CircuitState): string => {
  switch (to._tag) {
    case "Open":
      return `OPEN after ${printable(to.reason)}, for ${to.openMillis} ms`
    case "HalfOpen":
      return "transitioning to HALF_OPEN"
    case "Closed": {
      // Only probes close a circuit without clean counts.
      if (to.openings > 0) return "CLOSED, service recovered"
      const isOver = CircuitState.isHeld(from) && from.until !== undefined && to.since >= from.until
      return `CLOSED, ${isOver ? "the hold is over" : "by hand"}`
    }
    default:
      return `${to._tag === "HeldOpen" ? "HELD_OPEN" : "HELD_CLOSED"}${why(to.by, to.reason)}`
  }
}

/**
 * Returns a reason with one line about its cause, if there is one.
 */
export const because = (reason: string, link: string, cause: Cause.Cause<unknown>): string =>
  cause.reasons.length === 0 ? reason : `${reason}, ${link} ${summary(cause)}`

/**
 * Returns one line about a cause, of up to 200 characters. Errors of any type
 * come here, and reading one may throw: it does not.
 */
export const summary = (cause: Cause.Cause<unknown>): string => {
  try {
    const error = Cause.squash(cause)
    const text =
      error instanceof Error
        ? // Many errors have no message, and a `toString` of their own may say more than a line.
          Error.prototype.toString.call(error)
        : typeof error === "string"
          ? error
          : JSON.stringify(error)
    return text.length > 200 ? `${text.slice(0, 199)}…` : text
  } catch {
    return "an error that cannot be shown"
  }
}
