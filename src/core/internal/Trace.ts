/**
 * Causes with their stacks, for logs of defects.
 */
import * as Cause from "effect/Cause"
import * as Redact from "./Redact.ts"

/**
 * Returns a cause with its stacks, without the credentials that it holds. A logger
 * that is given the cause itself would write them.
 */
export const of = (cause: Cause.Cause<unknown>): string => {
  try {
    return Redact.credentials(Cause.pretty(cause))
  } catch {
    // Reading an error may throw.
    return "an error that cannot be shown"
  }
}
