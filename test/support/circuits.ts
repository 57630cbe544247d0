/**
 * What the tests of live circuits share.
 */
import { assert, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Logger, References, Scheduler } from "effect"
import type { Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"

/**
 * The two ways of a call into a closed circuit: with the default scheduler the
 * next operation is certain to run, with the one of the TestClock it is not.
 */
export const ways: ReadonlyArray<
  readonly [name: string, provide: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>]
> = [
  ["default scheduler", (effect) => Effect.provideService(effect, Scheduler.Scheduler, new Scheduler.MixedScheduler())],
  ["TestClock scheduler", (effect) => effect]
]

/** Runs a test both ways. */
export const both = (name: string, body: () => Effect.Effect<unknown, unknown, Scope.Scope>): void => {
  for (const [way, provide] of ways) it.effect(`${name} (${way})`, () => provide(Effect.suspend(body)))
}

/** Makes calls to a breaker. */
export const caller = (breaker: CircuitBreaker.Source, options?: CircuitBreaker.ProtectOptions<unknown, unknown>) => {
  const exit = <A, E>(effect: Effect.Effect<A, E>) => Effect.exit(CircuitBreaker.protect(effect, breaker, options))
  return {
    /** Exit of one call. */
    exit,
    succeed: exit(Effect.succeed("value")),
    fail: exit(Effect.fail("boom")),
    die: exit(Effect.die("defect")),
    /** A call that is interrupted from within. */
    interrupt: exit(Effect.interrupt),
    fails: (times: number) => Effect.replicateEffect(exit(Effect.fail("boom")), times, { discard: true }),
    succeeds: (times: number) => Effect.replicateEffect(exit(Effect.succeed("value")), times, { discard: true }),
    /** A call that is under way until its fiber is interrupted or `end` is called. */
    begin: begin(breaker, options),
    state: Effect.map(CircuitBreaker.status(breaker, options), ({ state }) => state._tag),
    status: CircuitBreaker.status(breaker, options)
  }
}

/** Options of a breaker that opens at the first failure, for 10 seconds. */
export const quick: CircuitBreaker.Options = { trip: TripPolicy.consecutive(1), openFor: "10 seconds", log: false }

/** A breaker with its calls. */
export const make = (options?: CircuitBreaker.Options) =>
  Effect.map(CircuitBreaker.make("api", options), (breaker) => ({ breaker, ...caller(breaker) }))

/** A breaker that has just opened at its first failure. */
export const opened = (options?: CircuitBreaker.Options) =>
  Effect.tap(make({ ...quick, ...options }), ({ fail, state }) =>
    Effect.andThen(
      fail,
      Effect.map(state, (tag) => assert.strictEqual(tag, "Open"))
    )
  )

/** A breaker whose open time is over. */
export const due = (options?: CircuitBreaker.Options) =>
  Effect.tap(opened(options), () => TestClock.adjust("10 seconds"))

/** A call under way. */
export interface Call {
  /** The refusal, where the call was refused. */
  readonly refused: CircuitBreaker.CircuitOpenError | undefined
  /** Ends the call, and returns how it ended for the caller. */
  readonly end: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<Exit.Exit<unknown, unknown>>
  /** Interrupts the caller. */
  readonly interrupt: Effect.Effect<Exit.Exit<unknown, unknown>>
  readonly fiber: Fiber.Fiber<unknown, unknown>
}

const begin = (
  breaker: CircuitBreaker.Source,
  options?: CircuitBreaker.ProtectOptions<unknown, unknown>
): Effect.Effect<Call> =>
  Effect.gen(function* () {
    let resume: ((exit: Exit.Exit<unknown, unknown>) => void) | undefined
    const work = Effect.callback<unknown, unknown>((done) => {
      resume = done
    })
    const fiber = yield* Effect.forkDetach(CircuitBreaker.protect(work, breaker, options), { startImmediately: true })
    const exit = fiber.pollUnsafe()
    return {
      fiber,
      refused: exit === undefined ? undefined : refusal(exit),
      end: (exit) =>
        Effect.suspend(() => {
          assert.isDefined(resume, "the call did not run")
          resume?.(exit)
          return Fiber.await(fiber)
        }),
      interrupt: Effect.andThen(Fiber.interrupt(fiber), Fiber.await(fiber))
    }
  })

/** The refusal that a call ended with, if it did. */
export const refusal = (exit: Exit.Exit<unknown, unknown>): CircuitBreaker.CircuitOpenError | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  const error = exit.cause.reasons.find(Cause.isFailReason)?.error
  return error instanceof CircuitBreaker.CircuitOpenError ? error : undefined
}

/** The refusal that a call ended with. */
export const refused = (exit: Exit.Exit<unknown, unknown>): CircuitBreaker.CircuitOpenError => {
  const error = refusal(exit)
  assert.isDefined(error, `the call was not refused, it ended with ${JSON.stringify(exit)}`)
  return error
}

/** Asserts that a call was refused. */
export const assertRefused = (exit: Exit.Exit<unknown, unknown>): void => void refused(exit)

/** A line of the log. */
export interface Line {
  readonly level: string
  readonly message: string
  readonly annotations: Readonly<Record<string, unknown>>
}

/** Collects the lines of the log. */
export const collectLogs = (): {
  readonly lines: Array<Line>
  readonly layer: Layer.Layer<never>
} => {
  const lines: Array<Line> = []
  const logger = Logger.make<unknown, void>(({ fiber, logLevel, message }) => {
    lines.push({
      level: logLevel,
      message: Array.isArray(message) ? message.map(String).join(" ") : String(message),
      annotations: { ...fiber.getRef(References.CurrentLogAnnotations) }
    })
  })
  return { lines, layer: Logger.layer([logger]) }
}
