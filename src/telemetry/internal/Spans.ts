/**
 * Events of the current span: refusals, retries and timeouts.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Fiber from "effect/Fiber"
import { constVoid } from "effect/Function"
import * as Tracer from "effect/Tracer"
import type * as Breaker from "../../breaker/internal/Breaker.ts"
import type * as Circuit from "../../breaker/internal/Circuit.ts"
import * as StateNames from "../../circuit/internal/StateNames.ts"
import type * as PolicyObserver from "../../policies/internal/PolicyObserver.ts"
import { circuitKey, circuitName, circuitState } from "./Metrics.ts"

/**
 * Returns the observer that writes the refusals of a breaker, except those of a
 * dry run.
 */
export const callObserver = (breaker: Breaker.Breaker): Pick<Circuit.CallObserver, "refused"> => ({
  refused: ({ breaker: name, by, key, reason, retryAfterMillis, since, state }) => {
    if (breaker.options.dryRun) return
    const attributes = {
      [circuitName]: name,
      ...(key === undefined ? undefined : { [circuitKey]: key }),
      [circuitState]: StateNames.lower[state]
    }
    write("resilience.circuit.refused", attributes, {
      ...attributes,
      "circuit.since": since,
      ...(reason === undefined ? undefined : { "circuit.reason": reason }),
      ...(by === undefined ? undefined : { "circuit.by": by }),
      ...(retryAfterMillis === undefined ? undefined : { "circuit.retry_after": retryAfterMillis / 1000 })
    })
  }
})

/**
 * Observer that writes retries, timeouts and fallbacks that failed.
 */
export const policyObserver: PolicyObserver.PolicyObserver = {
  attemptFailed: constVoid,
  retried: (attempt, delayMillis) =>
    write(
      "resilience.retry",
      { "resilience.retry.attempts": attempt },
      { "retry.attempt": attempt, "retry.delay": delayMillis / 1000 }
    ),
  exhausted: (attempts, why) =>
    write(
      "resilience.retry.exhausted",
      { "resilience.retry.attempts": attempts },
      { "retry.attempts": attempts, "retry.reason": why }
    ),
  timedOut: (operation = "unnamed") => write("resilience.timeout", {}, { "timeout.operation": operation }),
  // The fallback itself writes its source to the span.
  served: constVoid,
  allFailed: () => write("resilience.fallback.exhausted", {}, {})
}

// Writes to the current span of the running fiber, if it has one that is recorded.
const write = (
  event: string,
  attributes: Readonly<Record<string, unknown>>,
  eventAttributes: Record<string, unknown>
): void => {
  const fiber = Fiber.getCurrent()
  const span = fiber && Context.getOrUndefined(fiber.context, Tracer.ParentSpan)
  if (fiber === undefined || span?._tag !== "Span" || !span.sampled || span.status._tag === "Ended") return
  for (const [name, value] of Object.entries(attributes)) span.attribute(name, value)
  span.event(event, fiber.getRef(Clock.Clock).currentTimeNanosUnsafe(), eventAttributes)
}
