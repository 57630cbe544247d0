/**
 * Texts in states that another process wrote, which may be of an earlier version
 * or somebody else's.
 */
import * as Redact from "../../core/internal/Redact.ts"
import type * as CircuitState from "../CircuitState.ts"

/**
 * Returns a state without the credentials in its texts, and the identical state
 * where there are none.
 */
export const clean = <S extends CircuitState.CircuitState>(state: S): S => {
  if (state._tag === "Closed") return state
  const texts = Object.entries(state).filter(
    (field): field is [string, string] => fields.has(field[0]) && typeof field[1] === "string"
  )
  const cut = texts.map(([name, text]) => [name, Redact.credentials(text)] as const)
  return cut.every(([, text], i) => text === texts[i]?.[1]) ? state : { ...state, ...Object.fromEntries(cut) }
}

const fields = new Set(["reason", "cause", "by"])
