/**
 * What an operator does to a breaker: hold, release, reset.
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as CircuitState from "../../circuit/CircuitState.ts"
import * as Rules from "../../core/internal/Rules.ts"
import type * as Breaker from "./Breaker.ts"
import type * as Circuit from "./Circuit.ts"

/**
 * Options of what an operator does to a breaker.
 */
export interface OperatorOptions {
  /** Circuit that is meant. Default: the breaker with all of its keys. */
  readonly key?: string | undefined
}

/**
 * Options of a hold.
 */
export interface HoldOptions extends OperatorOptions {
  /** How long the hold lasts. Default: until it is released. */
  readonly for?: Duration.Input | undefined
  /** Why it is held. */
  readonly reason?: string | undefined
  /** Who holds it. */
  readonly by?: string | undefined
}

/**
 * Function that does something to a breaker.
 */
export type Operation = (breaker: Breaker.Breaker) => Effect.Effect<void>

/**
 * Holds circuits open or closed. Throws an `InvalidOptionError` for a duration
 * that is not finite and above zero.
 *
 * **Details**
 *
 * Without a key the hold is on the breaker's own circuit, which holds its keys.
 */
export const hold = (as: CircuitState.Held["_tag"], options: HoldOptions = {}): Operation => {
  const { by, key, reason } = options
  const forMillis = options.for === undefined ? undefined : Rules.millis("CircuitBreaker", "for", options.for)
  return apply(key, (state, now) => CircuitState.hold(state, { as, forMillis, reason, by }, now))
}

/**
 * Ends a hold, without a key that on the breaker's own circuit.
 */
export const release = (options?: OperatorOptions): Operation => apply(options?.key, CircuitState.release)

/**
 * Closes circuits, without a key all of the breaker.
 */
export const reset =
  (options?: OperatorOptions): Operation =>
  (breaker) =>
    options?.key === undefined
      ? Effect.forEach(breaker.circuits(), (circuit) => applyTo(circuit, CircuitState.reset), { discard: true })
      : apply(options.key, CircuitState.reset)(breaker)

const apply =
  (key: string | undefined, step: Circuit.Step): Operation =>
  (breaker) =>
    Effect.withFiber((fiber) =>
      applyTo(key === undefined ? breaker.main : breaker.keyedCircuit(key, fiber.getRef(Clock.Clock)), step)
    )

const applyTo = (circuit: Circuit.Circuit, step: Circuit.Step): Effect.Effect<void> =>
  Effect.withFiber((fiber) => circuit.apply(step, fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()) ?? Effect.void)
