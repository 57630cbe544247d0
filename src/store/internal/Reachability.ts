/**
 * Whether a table answers: since when, and how many operations failed.
 */
import type * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Redact from "../../core/internal/Redact.ts"
import type * as CircuitStore from "../CircuitStore.ts"

/**
 * Whether a table answers. It does until the first failure.
 */
export class Reachability {
  private away = false
  private since: number
  private operations = 0
  private errors = 0
  private lastError: string | undefined
  private readonly there = Latch.makeUnsafe(true)
  private readonly gone = Latch.makeUnsafe(false)

  /** `now` is the time in milliseconds, here and below. */
  constructor(now: number) {
    this.since = now
  }

  /** Whether the table did not answer the last time that it was asked. */
  get isAway(): boolean {
    return this.away
  }

  /** Waits while the table is away. */
  get back(): Effect.Effect<void> {
    return this.there.await
  }

  /** Waits until the table is away. */
  get lost(): Effect.Effect<void> {
    return this.gone.await
  }

  /** Counts an operation. */
  asked(): void {
    this.operations++
  }

  /** Counts an error that does not say whether the table answers. */
  noted(error: string): void {
    this.errors++
    this.lastError = Redact.credentials(error)
  }

  /** Counts an error that says that the table does not answer. Returns whether that is new. */
  failed(error: string, now: number): boolean {
    this.noted(error)
    if (this.away) return false
    this.turn(now)
    return true
  }

  /** Notes that the table answers. Returns how long it did not, where that is new. */
  answered(now: number): number | undefined {
    if (!this.away) return undefined
    const millis = now - this.since
    this.turn(now)
    return millis
  }

  /** Its part of the status of a store. */
  get status(): Pick<CircuitStore.Status, "reachable" | "since" | "operations" | "errors" | "lastError"> {
    const { away, errors, lastError, operations, since } = this
    return { reachable: !away, since, operations, errors, lastError }
  }

  private turn(now: number): void {
    this.away = !this.away
    this.since = now
    const [closes, opens] = this.away ? [this.there, this.gone] : [this.gone, this.there]
    closes.closeUnsafe()
    opens.openUnsafe()
  }
}
