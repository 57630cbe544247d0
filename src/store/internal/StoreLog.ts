/**
 * Log of a store, in the name of its process.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Redact from "../../core/internal/Redact.ts"
import * as Text from "../../core/internal/Text.ts"
import * as Trace from "../../core/internal/Trace.ts"

export class StoreLog {
  private readonly isOn: boolean
  private readonly annotate: (entry: Effect.Effect<void>) => Effect.Effect<void>

  constructor(instance: string, isOn: boolean) {
    this.isOn = isOn
    this.annotate = Effect.annotateLogs({ "store.instance": Text.printable(instance) })
  }

  info(text: string): Effect.Effect<void> {
    return this.isOn ? this.annotate(Effect.logInfo(text)) : Effect.void
  }

  /** Logs trouble. The text may hold what a table of somebody else says. */
  warning(text: string): Effect.Effect<void> {
    return this.isOn ? this.annotate(Effect.logWarning(Text.printable(Redact.credentials(text)))) : Effect.void
  }

  /** Logs a mistake in a program, also where the log of the store is off. */
  defect(text: string, cause: Cause.Cause<unknown>): Effect.Effect<void> {
    return this.annotate(Effect.logError(`${text}: ${Trace.of(cause)}`))
  }
}
