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
 *   closed. `transitions` has the four edges that Effect knows, and ends with
 *   the scope.
 * - Without `classify` outcomes are read as the breaker's options say.
 *
 * **Gotchas**
 *
 * - Effect's error is not a refusal of this package: `Retry` retries it unless
 *   `while` says otherwise, and a breaker around the call counts it.
 * - Effect's breaker lets the next probe start at once after one that was
 *   ignored; here it waits for `halfOpen.pace`.
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
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Persistence from "effect/persistence/CircuitBreaker"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as CircuitState from "../circuit/CircuitState.ts"
import * as Outcome from "../core/Outcome.ts"
import * as CircuitBreaker from "./CircuitBreaker.ts"
import type * as Circuit from "./internal/Circuit.ts"

/**
 * Creates Effect's circuit breaker service from a breaker.
 *
 * **Details**
 *
 * `transitions` ends when the scope closes. The breaker itself is not closed. A
 * consumer that falls more than 1024 transitions behind loses the oldest of
 * them.
 */
export const make = <I = never>(
  source: CircuitBreaker.Source<I>
): Effect.Effect<Persistence.CircuitBreaker, never, I | Scope.Scope> =>
  Effect.flatMap(CircuitBreaker.breaker(source), (breaker) =>
    Effect.map(makeTransitions(breaker), (transitions) =>
      Persistence.CircuitBreaker.of({
        [Persistence.TypeId]: Persistence.TypeId,
        execute: dual(2, <A, E, R, R2>(self: Effect.Effect<A, E, R>, options: ExecuteOptions<A, E, R2>) =>
          execute(breaker, self, options)
        ),
        state: (key) =>
          Effect.withFiber((fiber) =>
            Effect.succeed(toState(breaker, key, fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()))
          ),
        transitions
      })
    )
  )

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

const execute = <A, E, R, R2>(
  breaker: CircuitBreaker.CircuitBreaker,
  self: Effect.Effect<A, E, R>,
  { classify, key }: ExecuteOptions<A, E, R2>
): Effect.Effect<A, E | Persistence.CircuitBreakerError, R | R2> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.withFiber((fiber) => {
      const clock = fiber.getRef(Clock.Clock)
      const circuit = breaker.circuit(key, clock)
      return Effect.flatMap(
        circuit.admit(clock, restore, key),
        (admitted): Effect.Effect<A, E | Persistence.CircuitBreakerError, R | R2> =>
          admitted instanceof CircuitBreaker.CircuitOpenError
            ? Effect.fail(toError(admitted, key))
            : classify === undefined
              ? Effect.onExitPrimitive(restore(self), circuit.settleWith(undefined, admitted))
              : Effect.flatMap(Effect.exit(restore(self)), settle(circuit, admitted, classify, restore))
      )
    })
  )

// Settles the admission once, also where `classify` throws, dies or is interrupted.
const settle =
  <A, E, R2>(
    circuit: Circuit.Circuit,
    admission: Circuit.Admission,
    classify: NonNullable<ExecuteOptions<A, E, R2>["classify"]>,
    restore: Circuit.Restore
  ) =>
  (exit: Exit.Exit<A, E>): Effect.Effect<A, E, R2> => {
    const cause = Exit.isFailure(exit) ? exit.cause : Cause.empty
    const recorded = (outcome: Outcome.Outcome, result: Exit.Exit<A, E>) => {
      const left = circuit.record(outcome, cause, admission)
      return left === undefined ? result : Effect.andThen(left, result)
    }
    if (Exit.isFailure(exit) && Cause.hasInterruptsOnly(cause)) return recorded(Outcome.ignored, exit)
    const classified = Effect.suspend(() => {
      const outcome = classify(exit)
      return Effect.isEffect(outcome) ? Effect.map(outcome, toOutcome) : Effect.succeed(toOutcome(outcome))
    })
    return Effect.matchCauseEffect(restore(classified), {
      onSuccess: (outcome) => recorded(outcome, exit),
      onFailure: (thrown) => recorded(Outcome.ignored, Exit.failCause(Cause.combine(cause, thrown)))
    })
  }

// The longest open time bounds any hint, so none is refused. A classifier that
// TypeScript did not check may return anything.
const toOutcome = (outcome: Persistence.Outcome): Outcome.Outcome =>
  outcome._tag === "Success"
    ? Outcome.success
    : outcome._tag === "Failure"
      ? { _tag: "Failure", retryAfter: Duration.isDuration(outcome.retryAfter) ? outcome.retryAfter : undefined }
      : Outcome.ignored

const toError = (refused: CircuitBreaker.CircuitOpenError, key: string): Persistence.CircuitBreakerError =>
  new Persistence.CircuitBreakerError({
    reason:
      refused.state === "HalfOpen"
        ? new Persistence.CircuitHalfOpen({ key })
        : new Persistence.CircuitOpen({ key, retryAfter: refused.retryAfter ?? Duration.infinity })
  })

const toState = (breaker: CircuitBreaker.CircuitBreaker, key: string, now: number): Persistence.State => {
  // A hold on the breaker also holds its keys.
  const circuit = CircuitState.isHeld(breaker.main.current) ? breaker.main : breaker.existing(key)
  const state = circuit?.current ?? CircuitState.initial
  switch (state._tag) {
    case "Closed":
    case "HeldClosed":
      return { _tag: "Closed", key }
    case "Open":
    case "HeldOpen": {
      const until = state._tag === "Open" ? CircuitState.openUntil(state) : state.until
      const retryAfter = until === undefined ? Duration.infinity : Duration.millis(Math.max(0, until - now))
      return { _tag: "Open", key, retryAfter, consecutiveOpenings: state._tag === "Open" ? state.openings : 0 }
    }
    case "HalfOpen": {
      const probing = CircuitState.liveLeases(state, now).length > 0
      return { _tag: "HalfOpen", key, probing, consecutiveOpenings: state.openings }
    }
  }
}

// Each consumer sees what happens from the moment it begins until the scope closes.
const makeTransitions = ({
  listeners
}: CircuitBreaker.CircuitBreaker): Effect.Effect<Stream.Stream<Persistence.Transition>, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        const consumers = new Set<Queue.Queue<Persistence.Transition, Cause.Done>>()
        const listener = (change: CircuitBreaker.Change) => {
          const transition = toTransition(change)
          if (transition === undefined) return
          for (const consumer of consumers) Queue.offerUnsafe(consumer, transition)
        }
        return { consumers, listener, closed: false }
      }),
      (hub) =>
        Effect.sync(() => {
          hub.closed = true
          for (const consumer of hub.consumers) Queue.endUnsafe(consumer)
        })
    ),
    (hub) =>
      Stream.callback<Persistence.Transition>(
        (consumer) =>
          Effect.acquireRelease(
            Effect.sync(() => {
              hub.consumers.add(consumer)
              listeners.add(hub.listener)
              if (hub.closed) Queue.endUnsafe(consumer)
            }),
            () =>
              Effect.sync(() => {
                hub.consumers.delete(consumer)
                if (hub.consumers.size === 0) listeners.delete(hub.listener)
              })
          ),
        { bufferSize: 1024, strategy: "sliding" }
      )
  )

// The breaker's own circuit has no key.
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
