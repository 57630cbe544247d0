/**
 * Changes of state: their listeners, and their lines in the log.
 */
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import * as CircuitState from "../../circuit/CircuitState.ts"
import * as StateNames from "../../circuit/internal/StateNames.ts"
import * as Text from "../../core/internal/Text.ts"

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
 * Function that is called for each change.
 */
export type Listener = (change: Change) => void

/**
 * Calls every listener, and then throws the last error that one of them threw.
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
      `Circuit ${Text.label(name, key)} ${words(from, to)}`
    ),
    References.CurrentLogAnnotations,
    (annotations) => ({
      ...annotations,
      "circuit.name": Text.printable(name),
      ...(key === undefined ? undefined : { "circuit.key": Text.printable(key) }),
      "circuit.from": from._tag,
      "circuit.to": to._tag
    })
  )

const words = (from: CircuitState.CircuitState, to: CircuitState.CircuitState): string => {
  const state = StateNames.upper(to._tag)
  switch (to._tag) {
    case "Open": {
      // What an error said comes last, so that it is not taken for the words of the line after it.
      const evidence = StateNames.because(to.reason, to.cause).slice(to.reason.length)
      return `${state} after ${Text.printable(to.reason)}, for ${to.openMillis} ms${Text.printable(evidence)}`
    }
    case "HalfOpen":
      return `transitioning to ${state}`
    case "Closed": {
      // Only probes close a circuit without clean counts.
      if (to.openings > 0) return `${state}, service recovered`
      const isOver = CircuitState.isHeld(from) && from.until !== undefined && to.since >= from.until
      return `${state}, ${isOver ? "the hold is over" : "by hand"}`
    }
    default:
      return `${state}${Text.why(to.by, to.reason)}`
  }
}
