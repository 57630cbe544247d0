/**
 * Log of a store, in the name of its process.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Text from "../../core/internal/Text.ts"

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

  warning(text: string): Effect.Effect<void> {
    return this.isOn ? this.annotate(Effect.logWarning(text)) : Effect.void
  }

  /** Logs a mistake in a program, also where the log of the store is off. */
  defect(text: string, cause: Cause.Cause<unknown>): Effect.Effect<void> {
    return this.annotate(Effect.logError(text, cause))
  }
}
