/**
 * Causes with their stacks, for logs of defects.
 */
import * as Cause from "effect/Cause"
import * as Redact from "./Redact.ts"
import * as Text from "./Text.ts"

/**
 * Returns a cause with its stacks, without the credentials that it holds. A logger
 * that is given the cause itself would write them.
 */
export const of = (cause: Cause.Cause<unknown>): string => {
  try {
    return Redact.credentials(Cause.pretty(cause)).split("\n").map(Text.printable).join("\n  ")
  } catch {
    // Reading an error may throw.
    return "an error that cannot be shown"
  }
}
