/**
 * Effects to retry, and how a retry of them ends.
 */
import { Clock, Data, Duration, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Backoff from "../../src/policies/Backoff.ts"
import * as Refusal from "../../src/core/Refusal.ts"

export class Unavailable extends Data.TaggedError("Unavailable")<{ readonly retryAfter?: unknown }> {}
export class NotFound extends Data.TaggedError("NotFound") {}
export class Refused extends Data.TaggedError("Refused")<{ readonly retryAfter: Duration.Duration | undefined }> {
  readonly [Refusal.TypeId] = Refusal.TypeId
}

export const second = Backoff.constant("1 second")
export const atOnce = Backoff.constant(0)

/** An effect that takes the outcomes in turn, the last one again and again, and notes when it was started. */
export const scripted = <A, E>(...outcomes: ReadonlyArray<Exit.Exit<A, E>>) => {
  const starts: Array<number> = []
  const effect = Effect.flatMap(Clock.currentTimeMillis, (now): Effect.Effect<A, E> => {
    const outcome = outcomes[Math.min(starts.length, outcomes.length - 1)]
    starts.push(now)
    return outcome ?? Effect.die("no outcome")
  })
  return { effect, starts }
}

/** Runs an effect to its end on the test clock: how it ended, and when. */
export const settle = Effect.fnUntraced(function* <A, E, R>(effect: Effect.Effect<A, E, R>) {
  const fiber = yield* Effect.exit(effect).pipe(
    Effect.flatMap((exit) => Effect.map(Clock.currentTimeMillis, (at) => ({ exit, at }))),
    Effect.forkChild
  )
  yield* TestClock.adjust("1 day")
  return yield* Fiber.join(fiber)
})
