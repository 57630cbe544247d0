/**
 * Refusals: errors that say a policy turned a call away without running it.
 *
 * **Details**
 *
 * A refusal says nothing about the dependency, so no policy of this package
 * retries one unless asked to, and no breaker counts one.
 *
 * **Example** (Telling refusals from failures)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { CircuitBreaker, Refusal, TripPolicy } from "effect-resilience"
 *
 * const program = Effect.gen(function*() {
 *   const breaker = yield* CircuitBreaker.make("search", { trip: TripPolicy.consecutive(1) })
 *   const call = Effect.fail("unavailable").pipe(CircuitBreaker.protect(breaker))
 *   const first = yield* Effect.flip(call)
 *   const second = yield* Effect.flip(call)
 *   return [Refusal.isRefusal(first), Refusal.isRefusal(second)]
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => [false, true]
 * ```
 */
import type * as Duration from "effect/Duration"
import { hasProperty } from "effect/Predicate"

/**
 * Key that marks an error as a refusal.
 */
export const TypeId = "~effect-resilience/Refusal"

/**
 * Type of the key that marks an error as a refusal.
 */
export type TypeId = typeof TypeId

/**
 * Error of a policy that turned a call away without running it.
 */
export interface Refusal {
  readonly [TypeId]: TypeId
  /** How long to wait before another call has a chance, if anybody can know. */
  readonly retryAfter: Duration.Duration | undefined
}

/**
 * Returns whether a value is a refusal.
 */
export const isRefusal = (u: unknown): u is Refusal => hasProperty(u, TypeId)
