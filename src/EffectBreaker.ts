/**
 * A breaker of this package where Effect's own `CircuitBreaker` service is
 * expected, such as in `HttpClient.withCircuitBreaker`.
 *
 * **Details**
 *
 * - Keys are circuits of the breaker, with its trip policy, half-open rules,
 *   holds, registry and logs.
 * - A refusal is Effect's `CircuitBreakerError` with the reason `CircuitOpen`,
 *   or `CircuitHalfOpen`. Where nobody can know when a call may be admitted
 *   again, as in a hold without end, `retryAfter` is infinite.
 * - A circuit that is held open reads as open, one that is held closed as
 *   closed. `transitions` has the four edges that Effect knows.
 *
 * **Example** (Guarding an HttpClient)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { HttpClient, HttpClientResponse } from "effect/http"
 * import { CircuitBreaker, EffectBreaker, TripPolicy } from "effect-resilience"
 *
 * const failing = HttpClient.make((request) =>
 *   Effect.succeed(HttpClientResponse.fromWeb(request, new Response("", { status: 503 })))
 * )
 *
 * const program = Effect.gen(function*() {
 *   const breaker = yield* CircuitBreaker.make("api", { trip: TripPolicy.consecutive(1) })
 *   const client = HttpClient.withCircuitBreaker(failing, { breaker: yield* EffectBreaker.make(breaker) })
 *   yield* client.get("http://localhost/a")
 *   const refused = yield* Effect.flip(client.get("http://localhost/b"))
 *   return refused._tag === "CircuitBreakerError" ? refused.reason._tag : refused._tag
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => "CircuitOpen"
 * ```
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Persistence from "effect/persistence/CircuitBreaker"
import * as Stream from "effect/Stream"
import * as CircuitBreaker from "./CircuitBreaker.ts"
import type * as CircuitState from "./CircuitState.ts"
import * as Outcome from "./Outcome.ts"

/**
 * Creates Effect's circuit breaker service from a breaker.
 */
export const make = <I = never>(
  source: CircuitBreaker.Source<I>
): Effect.Effect<Persistence.CircuitBreaker, never, I> =>
  Effect.map(CircuitBreaker.breaker(source), (breaker) => {
    const execute = <A, E, R, R2 = never>(
      self: Effect.Effect<A, E, R>,
      { classify, key }: ExecuteOptions<A, E, R2>
    ): Effect.Effect<A, E | Persistence.CircuitBreakerError, R | R2> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(Effect.clockWith(Effect.succeed), (clock) => {
          const circuit = breaker.circuit(key, clock)
          return Effect.matchEffect(circuit.admit(restore), {
            onFailure: (refused) => Effect.fail(toError(refused, key)),
            onSuccess: (admission) =>
              Effect.flatMap(Effect.exit(restore(self)), (exit) => {
                const cause = Exit.isFailure(exit) ? exit.cause : Cause.empty
                if (classify === undefined || Cause.hasInterruptsOnly(cause)) {
                  return Effect.andThen(circuit.settleWith<A, E>(undefined, admission)(exit) ?? Effect.void, exit)
                }
                const classified = Effect.suspend(() => {
                  const outcome = classify(exit)
                  return Effect.isEffect(outcome) ? outcome : Effect.succeed(outcome)
                })
                return Effect.flatMap(Effect.exit(restore(classified)), (said) => {
                  const outcome = Exit.isSuccess(said) ? toOutcome(said.value) : Outcome.ignored
                  return Effect.andThen(
                    circuit.record(outcome, cause, admission) ?? Effect.void,
                    Exit.isSuccess(said) ? exit : Effect.failCause(Cause.combine(cause, said.cause))
                  )
                })
              })
          })
        })
      )
    return Persistence.CircuitBreaker.of({
      [Persistence.TypeId]: Persistence.TypeId,
      execute: dual(2, execute),
      state: (key) => Effect.map(breaker.statusOf(key), ({ retryAfter, state }) => toState(state, key, retryAfter)),
      transitions: CircuitBreaker.changes(breaker).pipe(
        Stream.map(toTransition),
        Stream.filter((transition) => transition !== undefined)
      )
    })
  })

/**
 * Provides Effect's circuit breaker service from a breaker.
 */
export const layer = <I = never>(source: CircuitBreaker.Source<I>): Layer.Layer<Persistence.CircuitBreaker, never, I> =>
  Layer.effect(Persistence.CircuitBreaker, make(source))

interface ExecuteOptions<A, E, R2> {
  readonly key: string
  readonly classify?:
    ((exit: Exit.Exit<A, E>) => Persistence.Outcome | Effect.Effect<Persistence.Outcome, never, R2>) | undefined
}

const toOutcome = (outcome: Persistence.Outcome): Outcome.Outcome =>
  outcome._tag === "Success"
    ? Outcome.success
    : outcome._tag === "Failure"
      ? Outcome.failure({ retryAfter: outcome.retryAfter })
      : Outcome.ignored

const toError = (refused: CircuitBreaker.CircuitOpenError, key: string): Persistence.CircuitBreakerError =>
  new Persistence.CircuitBreakerError({
    reason:
      refused.state === "HalfOpen"
        ? new Persistence.CircuitHalfOpen({ key })
        : new Persistence.CircuitOpen({ key, retryAfter: refused.retryAfter ?? Duration.infinity })
  })

const toState = (
  state: CircuitState.CircuitState,
  key: string,
  retryAfter: Duration.Duration = Duration.infinity
): Persistence.State => {
  switch (state._tag) {
    case "Closed":
    case "HeldClosed":
      return { _tag: "Closed", key }
    case "Open":
      return { _tag: "Open", key, retryAfter, consecutiveOpenings: state.openings }
    case "HeldOpen":
      return { _tag: "Open", key, retryAfter, consecutiveOpenings: 0 }
    case "HalfOpen":
      return {
        _tag: "HalfOpen",
        key,
        probing: state.leases.length > 0,
        consecutiveOpenings: state.openings
      }
  }
}

const toTransition = ({ from, key = "", to }: CircuitBreaker.Change): Persistence.Transition | undefined => {
  if (to._tag === "Open" && (from._tag === "Closed" || from._tag === "HalfOpen")) {
    return {
      key,
      from: from._tag,
      to: "Open",
      retryAfter: Duration.millis(to.openMillis),
      consecutiveOpenings: to.openings
    }
  }
  if (to._tag === "HalfOpen" && from._tag === "Open") return { key, from: "Open", to: "HalfOpen" }
  if (to._tag === "Closed" && from._tag === "HalfOpen") return { key, from: "HalfOpen", to: "Closed" }
  return undefined
}
