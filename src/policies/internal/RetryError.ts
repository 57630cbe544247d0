/**
 * Errors of a retry.
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import { hasProperty } from "effect/Predicate"
import * as Redact from "../../core/internal/Redact.ts"

/**
 * Value that `until` did not accept, where an error is expected.
 */
export class UnacceptedValue<out A> extends Data.TaggedClass("UnacceptedValue")<{
  readonly value: A
}> {}

/**
 * Error of an effect that was given up while it could still have been retried.
 */
export class RetryExhaustedError<out E> extends Data.TaggedError("RetryExhaustedError")<{
  /** Number of attempts that were made. */
  readonly attempts: number
  /** Time from the start of the first attempt to the end of the last. */
  readonly elapsed: Duration.Duration
  /** Error of the last attempt. */
  readonly lastError: E
  /** Limit that was reached. `"retryAfter"` is for an unaccepted value that asks for more than `maxRetryAfter`. */
  readonly why: "attempts" | "elapsed" | "schedule" | "retryAfter"
}> {
  override get message(): string {
    const attempts = `${this.attempts} attempt${this.attempts === 1 ? "" : "s"}`
    const last = Redact.credentials(show(this.lastError))
    return `gave up after ${attempts} in ${Duration.format(this.elapsed)} (${this.why}): ${last}`
  }

  override get cause(): unknown {
    return this.lastError
  }
}

const show = (error: unknown): string => {
  if (error instanceof UnacceptedValue) return "the value was not accepted"
  const tag = hasProperty(error, "_tag") ? String(error._tag) : ""
  const message = hasProperty(error, "message") ? String(error.message) : ""
  if (tag !== "" || message !== "") return tag === "" || message === "" ? tag + message : `${tag}: ${message}`
  return typeof error === "object" && error !== null ? "an object" : String(error)
}
