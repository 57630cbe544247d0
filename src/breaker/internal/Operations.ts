/**
 * Operator actions on a breaker: one circuit of it, or all.
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Operation from "../../circuit/internal/Operation.ts"
import * as Rules from "../../core/internal/Rules.ts"
import type * as Breaker from "./Breaker.ts"

/**
 * Options of an operator action.
 */
export interface OperatorOptions {
  /** Key of the circuit. Default: the breaker with all of its keys. */
  readonly key?: string | undefined
}

/**
 * Options of a hold.
 */
export interface HoldOptions extends OperatorOptions {
  /** How long the hold lasts. Default: until it is released. */
  readonly for?: Duration.Input | undefined
  /** Why it is held. What is longer than 500 characters is cut. */
  readonly reason?: string | undefined
  /** Who holds it. What is longer than 100 characters is cut. */
  readonly by?: string | undefined
}

/**
 * Creates the function that does an action on a breaker. Throws an
 * `InvalidOptionError` for a duration that is not finite and above zero.
 *
 * **Details**
 *
 * Without a key, a hold or its release is on the breaker's own circuit, which
 * holds its keys, and a reset is on all circuits.
 */
export const make = (
  action: Operation.Action,
  options: HoldOptions = {}
): ((breaker: Breaker.Breaker) => Effect.Effect<void>) => {
  const { by, for: length, key, reason } = options
  const forMillis = length === undefined ? undefined : Rules.millis("CircuitBreaker", "for", length)
  const operation = { action, forMillis, reason, by }
  return (breaker) =>
    Effect.withFiber((fiber) => {
      const clock = fiber.getRef(Clock.Clock)
      const circuits =
        key !== undefined
          ? [breaker.keyedCircuit(key, clock)]
          : action === "reset"
            ? breaker.circuits()
            : [breaker.main]
      return Effect.forEach(
        circuits,
        (circuit) =>
          circuit.apply((state, now) => Operation.apply(operation, state, now), clock.currentTimeMillisUnsafe()) ??
          Effect.void,
        { discard: true }
      )
    })
}
