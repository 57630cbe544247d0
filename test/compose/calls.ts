/**
 * Dependencies of policies, and how their calls end.
 */
import { assert } from "@effect/vitest"
import { Cause, Data, Effect, Exit } from "effect"
import { TestClock } from "effect/testing"
import * as Backoff from "../../src/policies/Backoff.ts"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"

export class Unavailable extends Data.TaggedError("Unavailable")<{ readonly call?: number }> {}
export class NotFound extends Data.TaggedError("NotFound") {}

export const everySecond = Backoff.constant("1 second")

export const makeBreaker = (options?: CircuitBreaker.Options) => CircuitBreaker.make("api", { log: false, ...options })

/** A dependency that can be told what to answer, and remembers when it was called and interrupted. */
export const dependency = (answer: (call: number) => Effect.Effect<string, Unavailable | NotFound>) => {
  const log: Array<string> = []
  let calls = 0
  const note = (event: string) =>
    Effect.clockWith((clock) => Effect.sync(() => log.push(`${clock.currentTimeMillisUnsafe()} ${event}`)))
  const call = Effect.suspend(() => {
    const n = ++calls
    return Effect.andThen(
      note(`call ${n}`),
      Effect.onInterrupt(answer(n), () => note(`interrupt ${n}`))
    )
  })
  return { call, log, calls: () => calls }
}

export const hangs = () => dependency(() => Effect.never)
export const fails = () => dependency((call) => Effect.fail(new Unavailable({ call })))

/** Runs an effect to its end in steps of 500 millis, at most 30 seconds. */
export const settle = Effect.fnUntraced(function* <A, E, R>(effect: Effect.Effect<A, E, R>) {
  const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
  for (let i = 0; i < 60 && fiber.pollUnsafe() === undefined; i++) yield* TestClock.adjust("500 millis")
  return fiber.pollUnsafe() ?? assert.fail("the effect did not end")
})

export const errorOf = (exit: Exit.Exit<unknown, unknown>): unknown => {
  const error = Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isFailReason)?.error : undefined
  return error ?? assert.fail(`no error: ${String(exit)}`)
}

export const now = Effect.clockWith((clock) => Effect.sync(() => clock.currentTimeMillisUnsafe()))
