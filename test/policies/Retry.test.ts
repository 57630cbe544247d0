import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Clock,
  Config,
  ConfigProvider,
  Context,
  Data,
  Deferred,
  Duration,
  Effect,
  Exit,
  Fiber,
  Random,
  Schedule,
  Schema
} from "effect"
import { TestClock } from "effect/testing"
import * as Backoff from "../../src/policies/Backoff.ts"
import { InvalidOptionError } from "../../src/core/Options.ts"
import * as Refusal from "../../src/core/Refusal.ts"
import * as Retry from "../../src/policies/Retry.ts"

class Unavailable extends Data.TaggedError("Unavailable")<{ readonly retryAfter?: unknown }> {}
class NotFound extends Data.TaggedError("NotFound") {}
class Refused extends Data.TaggedError("Refused")<{ readonly retryAfter: Duration.Duration | undefined }> {
  readonly [Refusal.TypeId] = Refusal.TypeId
}

const second = Backoff.constant("1 second")
const atOnce = Backoff.constant(0)

/** An effect that takes the outcomes in turn, the last one again and again, and notes when it was started. */
const scripted = <A, E>(...outcomes: ReadonlyArray<Exit.Exit<A, E>>) => {
  const starts: Array<number> = []
  const effect = Effect.flatMap(Clock.currentTimeMillis, (now): Effect.Effect<A, E> => {
    const outcome = outcomes[Math.min(starts.length, outcomes.length - 1)]
    starts.push(now)
    return outcome ?? Effect.die("no outcome")
  })
  return { effect, starts }
}

/** Runs an effect to its end on the test clock: how it ended, and when. */
const settle = Effect.fnUntraced(function* <A, E, R>(effect: Effect.Effect<A, E, R>) {
  const fiber = yield* Effect.exit(effect).pipe(
    Effect.flatMap((exit) => Effect.map(Clock.currentTimeMillis, (at) => ({ exit, at }))),
    Effect.forkChild
  )
  yield* TestClock.adjust("1 day")
  return yield* Fiber.join(fiber)
})

const rejected = (build: () => unknown): InvalidOptionError => {
  try {
    build()
  } catch (error) {
    assert.instanceOf(error, InvalidOptionError)
    return error
  }
  return assert.fail("nothing was thrown")
}

describe("retry", () => {
  it.effect("runs a successful effect once", () =>
    Effect.gen(function* () {
      const { effect, starts } = scripted(Exit.succeed(1))
      assert.deepStrictEqual(yield* settle(Retry.retry(effect)), { exit: Exit.succeed(1), at: 0 })
      assert.deepStrictEqual(starts, [0])
    })
  )

  for (const value of [0, "", null, undefined, false, Number.NaN]) {
    it.effect(`succeeds with ${String(value) || "an empty string"}`, () =>
      Effect.gen(function* () {
        const { effect } = scripted(Exit.fail("no"), Exit.succeed(value))
        assert.deepStrictEqual((yield* settle(Retry.retry(effect))).exit, Exit.succeed(value))
      })
    )

    it.effect(`retries the error ${String(value) || "of an empty string"}`, () =>
      Effect.gen(function* () {
        const { effect, starts } = scripted(Exit.fail(value))
        assert.deepStrictEqual((yield* settle(Retry.retry(effect))).exit, Exit.fail(value))
        assert.lengthOf(starts, 3)
      })
    )
  }

  it.effect("makes three attempts by default", () =>
    Effect.gen(function* () {
      const { effect, starts } = scripted(Exit.fail("no"))
      assert.deepStrictEqual((yield* settle(effect.pipe(Retry.retry()))).exit, Exit.fail("no"))
      assert.lengthOf(starts, 3)
    })
  )

  for (const maxAttempts of [1, 2, 3, 7]) {
    it.effect(`maxAttempts ${maxAttempts} counts the first attempt`, () =>
      Effect.gen(function* () {
        const failing = scripted(Exit.fail("no"))
        const { at } = yield* settle(Retry.retry(failing.effect, { maxAttempts, backoff: second }))
        assert.lengthOf(failing.starts, maxAttempts)
        assert.strictEqual(at, (maxAttempts - 1) * 1000)
      })
    )

    it.effect(`maxAttempts ${maxAttempts} accepts a success of the last attempt`, () =>
      Effect.gen(function* () {
        const failures = Array.from({ length: maxAttempts - 1 }, () => Exit.fail("no"))
        const { effect } = scripted<string, string>(...failures, Exit.succeed("yes"))
        assert.deepStrictEqual((yield* settle(Retry.retry(effect, { maxAttempts }))).exit, Exit.succeed("yes"))
      })
    )
  }

  it.effect("P0 retry: exponential waits, some errors are retried and others fail at once", () =>
    Effect.gen(function* () {
      const policy = Retry.retry({
        maxAttempts: 4,
        backoff: Backoff.exponential({ initial: "1 second", jitter: "none" }),
        while: Retry.tags("Unavailable")
      })
      const retried = scripted(Exit.fail(new Unavailable({})))
      assert.deepStrictEqual((yield* settle(policy(retried.effect))).exit, Exit.fail(new Unavailable({})))
      assert.deepStrictEqual(retried.starts, [0, 1000, 3000, 7000])
      const atOnce = scripted(Exit.fail(new NotFound()))
      assert.deepStrictEqual((yield* settle(policy(atOnce.effect))).exit, Exit.fail(new NotFound()))
      assert.lengthOf(atOnce.starts, 1)
    })
  )

  it.effect("P2 retry: max_attempts 3, initial_delay 1 s, backoff_factor 2, max_delay 60 s, jitter on", () =>
    Effect.gen(function* () {
      const backoff = Backoff.exponential({ initial: "1 second", factor: 2, max: "60 seconds", jitter: "full" })
      const { effect, starts } = scripted(Exit.fail("no"))
      yield* settle(Retry.retry(effect, { maxAttempts: 3, backoff }).pipe(Random.withSeed("P2")))
      assert.lengthOf(starts, 3)
      const [first, next, last] = starts as [number, number, number]
      assert.isTrue(next - first > 0 && next - first < 1000)
      assert.isTrue(last - next > 0 && last - next < 2000)
    })
  )

  it.effect(
    "P3 retry: max_attempts with the first, base_delay, exponential_base, jitter factor, retry_on, on_retry",
    () =>
      Effect.gen(function* () {
        const seen: Array<readonly [attempt: number, error: string]> = []
        const { effect, starts } = scripted(Exit.fail(new Unavailable({})))
        const { exit } = yield* settle(
          effect.pipe(
            Retry.retry({
              maxAttempts: 3,
              backoff: Backoff.exponential({
                initial: "100 millis",
                factor: 2,
                max: "60 seconds",
                jitter: Backoff.ratio(0.1)
              }),
              while: ["Unavailable"],
              onRetry: ({ attempt, error }) => Effect.sync(() => seen.push([attempt, error._tag]))
            })
          )
        )
        assert.deepStrictEqual(exit, Exit.fail(new Unavailable({})))
        assert.deepStrictEqual(seen, [
          [1, "Unavailable"],
          [2, "Unavailable"]
        ])
        const [first, next, last] = starts as [number, number, number]
        assert.closeTo(next - first, 100, 10)
        assert.closeTo(last - next, 200, 20)
      })
  )

  it("P3 retry: synchronous retry stays synchronous", () => {
    let calls = 0
    const effect = Effect.suspend(() => (++calls < 3 ? Effect.fail("no") : Effect.succeed(calls)))
    assert.strictEqual(Effect.runSync(Retry.retry(effect, { backoff: atOnce })), 3)
    assert.strictEqual(Effect.runSync(Retry.retry(Effect.succeed("first"))), "first")
    assert.deepStrictEqual(Effect.runSyncExit(Retry.retry(Effect.fail("no"), { maxAttempts: 1 })), Exit.fail("no"))
    assert.isTrue(
      Exit.isFailure(Effect.runSyncExit(Retry.retryOrExhausted(Effect.fail("no"), { backoff: atOnce, maxElapsed: 1 })))
    )
  })

  it.effect("P3 retry: RetryConfig shared by many functions", () =>
    Effect.gen(function* () {
      const shared: Retry.Options = { maxAttempts: 2, backoff: second, while: ["Unavailable", "Timeout"] }
      const one = scripted(Exit.fail(new Unavailable({})))
      const two = scripted(Exit.fail(new NotFound()))
      const three = scripted(Exit.fail("no"), Exit.succeed(3))
      yield* settle(one.effect.pipe(Retry.retry(shared)))
      yield* settle(Retry.retry(two.effect, shared))
      yield* settle(three.effect.pipe(Retry.retryOrExhausted(shared)))
      assert.deepStrictEqual(
        [one, two, three].map(({ starts }) => starts.length),
        [2, 1, 1]
      )
    })
  )

  it.effect("P4 retry: ExponentialDelay(min, max, factor, jitter), FixedDelay, max_retries", () =>
    Effect.gen(function* () {
      const exponential = scripted(Exit.fail("no"))
      const backoff = Backoff.exponential({ initial: "1 second", max: "4 seconds", factor: 3, jitter: "none" })
      yield* settle(Retry.retry(exponential.effect, { maxAttempts: 4, backoff }))
      assert.deepStrictEqual(exponential.starts, [0, 1000, 4000, 8000])
    })
  )

  it.effect("P4 retry: FixedDelay, two retries", () =>
    Effect.gen(function* () {
      const fixed = scripted(Exit.fail("no"))
      yield* settle(Retry.retry(fixed.effect, { maxAttempts: 3, backoff: Backoff.constant("2 seconds") }))
      assert.deepStrictEqual(fixed.starts, [0, 2000, 4000])
    })
  )

  it.effect("fails with the cause of the last attempt itself", () =>
    Effect.gen(function* () {
      const causes = [
        Cause.fail("first"),
        Cause.fromReasons([Cause.makeFailReason("last"), Cause.makeFailReason("too")])
      ]
      let calls = 0
      const effect = Effect.suspend(() => Effect.failCause(causes[calls++] as Cause.Cause<string>))
      const { exit } = yield* settle(Retry.retry(effect, { maxAttempts: 2 }))
      assert.isTrue(Exit.isFailure(exit) && exit.cause === causes[1])
    })
  )

  it.effect("looks at the first of several typed errors", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const cause = Cause.fromReasons([Cause.makeFailReason("one"), Cause.makeFailReason("two")])
      const effect = Effect.failCause(cause)
      yield* settle(Retry.retry(effect, { while: (error) => seen.push(error) < 2 }))
      assert.deepStrictEqual(seen, ["one", "one"])
    })
  )

  const notRetried: ReadonlyArray<readonly [string, Cause.Cause<string>]> = [
    ["a defect", Cause.die("defect")],
    ["an interruption", Cause.interrupt(1)],
    ["an error with a defect", Cause.combine(Cause.fail("no"), Cause.die("defect"))],
    ["a defect with an error", Cause.combine(Cause.die("defect"), Cause.fail("no"))],
    ["an error with an interruption", Cause.combine(Cause.fail("no"), Cause.interrupt(1))],
    ["an empty cause", Cause.empty]
  ]
  for (const [name, cause] of notRetried) {
    it.effect(`${name} is not retried and passes unchanged`, () =>
      Effect.gen(function* () {
        const shown: Array<string> = []
        const show = (error: string) => shown.push(error) > 0
        for (const retried of [
          Retry.retry({ while: show, retryRefusals: true }),
          Retry.retryOrExhausted({ while: show }),
          Retry.retryUntil({ until: () => true, while: show })
        ]) {
          let calls = 0
          const effect = Effect.suspend(() => {
            calls++
            return Effect.failCause(cause)
          })
          const { exit } = yield* settle(retried(effect))
          assert.strictEqual(calls, 1)
          assert.isTrue(Exit.isFailure(exit) && (exit.cause as Cause.Cause<unknown>) === cause)
          assert.deepStrictEqual(shown, [])
        }
      })
    )
  }

  it.effect("each run counts its own attempts and starts its own schedule", () =>
    Effect.gen(function* () {
      const failing = scripted(Exit.fail("no"))
      const retried = Retry.retry(failing.effect, {
        backoff: Backoff.exponential({ initial: "1 second", jitter: "none" })
      })
      const { at } = yield* settle(Effect.all([retried, retried].map(Effect.exit), { concurrency: 2 }))
      assert.strictEqual(at, 3000)
      assert.deepStrictEqual(failing.starts, [0, 0, 1000, 1000, 3000, 3000])
      yield* settle(retried)
      assert.lengthOf(failing.starts, 9)
    })
  )

  it.effect("one retry serves many effects", () =>
    Effect.gen(function* () {
      const twice = Retry.retry({ maxAttempts: 2 })
      const one = scripted(Exit.fail("one"))
      const two = scripted(Exit.fail("two"))
      assert.deepStrictEqual((yield* settle(twice(one.effect))).exit, Exit.fail("one"))
      assert.deepStrictEqual((yield* settle(twice(two.effect))).exit, Exit.fail("two"))
      assert.deepStrictEqual([one.starts.length, two.starts.length], [2, 2])
    })
  )

  it.effect("100 000 attempts without a delay keep the stack flat", () =>
    Effect.gen(function* () {
      let calls = 0
      const effect = Effect.suspend(() => (++calls < 100_000 ? Effect.fail("no") : Effect.succeed(calls)))
      assert.strictEqual(yield* Retry.retry(effect, { maxAttempts: 200_000, backoff: atOnce }), 100_000)
    })
  )

  it.effect("a first attempt that succeeds reads no clock and takes no step of the schedule", () =>
    Effect.gen(function* () {
      const none = () => assert.fail("the clock was read")
      const clock: Clock.Clock = {
        currentTimeMillis: Effect.sync(none),
        currentTimeMillisUnsafe: none,
        currentTimeNanos: Effect.sync(none),
        currentTimeNanosUnsafe: none,
        monotonicTimeNanos: Effect.sync(none),
        monotonicTimeNanosUnsafe: none,
        sleep: none
      }
      const started = (): (() => Effect.Effect<[number, Duration.Duration]>) => assert.fail("the schedule was started")
      const backoff = Schedule.fromStep(Effect.sync(started))
      const retried = Retry.retry(Effect.succeed(1), { backoff })
      assert.strictEqual(yield* Effect.provideService(retried, Clock.Clock, clock), 1)
    })
  )
})

describe("a delay of zero", () => {
  it.effect("does not sleep", () =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const asleep: Clock.Clock = Object.assign(Object.create(clock), { sleep: () => Effect.die("slept") })
      for (const options of [{}, { maxElapsed: 5 }, { onRetry: () => Effect.void }]) {
        const { effect, starts } = scripted(Exit.fail("no"))
        const retried = Retry.retry(effect, { ...options, backoff: atOnce })
        assert.deepStrictEqual(yield* Effect.exit(Effect.provideService(retried, Clock.Clock, asleep)), Exit.fail("no"))
        assert.lengthOf(starts, 3)
      }
    })
  )

  it.effect("without maxElapsed reads no elapsed time", () =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const blind: Clock.Clock = Object.assign(Object.create(clock), {
        monotonicTimeNanosUnsafe: () => assert.fail("the time was read")
      })
      const retried = Retry.retry(Effect.fail("no"), { backoff: atOnce })
      assert.deepStrictEqual(yield* Effect.exit(Effect.provideService(retried, Clock.Clock, blind)), Exit.fail("no"))
    })
  )
})

describe("while", () => {
  it.effect("gets each error, and stops where it is false", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const { effect } = scripted(Exit.fail("a"), Exit.fail("b"), Exit.fail("c"))
      const predicate = (error: string) => {
        seen.push(error)
        return error !== "b"
      }
      assert.deepStrictEqual(
        (yield* settle(Retry.retry(effect, { while: predicate, maxAttempts: 9 }))).exit,
        Exit.fail("b")
      )
      assert.deepStrictEqual(seen, ["a", "b"])
    })
  )

  const tables: ReadonlyArray<
    readonly [string, Retry.Options["while"], unavailable: number, notFound: number, text: number]
  > = [
    ["nothing", undefined, 3, 3, 3],
    ["a tag", "Unavailable", 3, 1, 1],
    ["a list of tags", ["NotFound", "Unavailable"], 3, 3, 1],
    ["tags", Retry.tags("NotFound", "Other"), 1, 3, 1],
    ["a refinement", (error) => error instanceof NotFound, 1, 3, 1]
  ]
  for (const [name, predicate, unavailable, notFound, text] of tables) {
    it.effect(`is ${name}`, () =>
      Effect.gen(function* () {
        const attempts: Array<number> = []
        for (const error of [new Unavailable({}), new NotFound(), "text"]) {
          const { effect, starts } = scripted(Exit.fail(error))
          const options: Retry.Options = { while: predicate }
          yield* settle(Retry.retry(effect, options))
          attempts.push(starts.length)
        }
        assert.deepStrictEqual(attempts, [unavailable, notFound, text])
      })
    )
  }

  it.effect("that throws is a defect", () =>
    Effect.gen(function* () {
      const { effect, starts } = scripted(Exit.fail("no"))
      const bug = () => {
        throw new Error("bug")
      }
      const { exit } = yield* settle(Retry.retry(effect, { while: bug }))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      assert.lengthOf(starts, 1)
    })
  )
})

describe("refusals", () => {
  const refused = new Refused({ retryAfter: Duration.seconds(30) })

  it.effect("P3 retry: retry around a breaker does not retry the breaker's own refusal", () =>
    Effect.gen(function* () {
      const shown: Array<string> = []
      const { effect, starts } = scripted<never, Unavailable | Refused>(
        Exit.fail(new Unavailable({})),
        Exit.fail(refused)
      )
      const retried = Retry.retry(effect, {
        maxAttempts: 5,
        while: ({ _tag }) => shown.push(_tag) > 0,
        backoff: second
      })
      const { at, exit } = yield* settle(retried)
      assert.isTrue(Exit.isFailure(exit) && exit.cause.reasons[0]?._tag === "Fail")
      assert.deepStrictEqual(exit, Exit.fail(refused))
      assert.deepStrictEqual({ starts, shown, at }, { starts: [0, 1000], shown: ["Unavailable"], at: 1000 })
    })
  )

  it.effect("pass retryOrExhausted unchanged", () =>
    Effect.gen(function* () {
      const { effect, starts } = scripted(Exit.fail(refused))
      assert.deepStrictEqual((yield* settle(Retry.retryOrExhausted(effect))).exit, Exit.fail(refused))
      assert.lengthOf(starts, 1)
    })
  )

  it.effect("retryRefusals makes them ordinary errors, with their retryAfter", () =>
    Effect.gen(function* () {
      const shown: Array<string> = []
      const { effect, starts } = scripted(Exit.fail(refused))
      const predicate = (error: Refused) => shown.push(error._tag) > 0
      yield* settle(Retry.retry(effect, { retryRefusals: true, while: predicate, backoff: second }))
      assert.deepStrictEqual(starts, [0, 30_000, 60_000])
      assert.lengthOf(shown, 3)
    })
  )
})

describe("backoff", () => {
  it.effect("is exponential from 100 millis with full jitter by default", () =>
    Effect.gen(function* () {
      const draws = (draw: number) =>
        Effect.gen(function* () {
          const { effect, starts } = scripted(Exit.fail("no"))
          const options = { maxAttempts: 4 }
          const random = { nextDoubleUnsafe: () => draw, nextIntUnsafe: () => 0 }
          yield* settle(Effect.provideService(Retry.retry(effect, options), Random.Random, random))
          return starts
        })
      assert.deepStrictEqual(yield* draws(0), [0, 0, 0, 0])
      const half = yield* Effect.forkChild(draws(0.5))
      assert.deepStrictEqual(
        (yield* Fiber.join(half)).map((at, _, [first]) => at - (first as number)),
        [0, 50, 150, 350]
      )
      assert.strictEqual(Retry.defaults.backoff[Backoff.TypeId].type, "exponential")
    })
  )

  it.effect("is any schedule, which gets each error", () =>
    Effect.gen(function* () {
      const inputs: Array<string> = []
      const schedule = Schedule.spaced("2 seconds").pipe(
        Schedule.setInputType<string>(),
        Schedule.while(({ input }) => Effect.sync(() => inputs.push(input) > 0))
      )
      const { effect, starts } = scripted(Exit.fail("a"), Exit.fail("b"), Exit.fail("c"))
      yield* settle(Retry.retry(effect, { backoff: schedule }))
      assert.deepStrictEqual(starts, [0, 2000, 4000])
      assert.deepStrictEqual(inputs, ["a", "b"])
    })
  )

  it.effect("gets the time of the clock", () =>
    Effect.gen(function* () {
      const times: Array<number> = []
      const schedule = Schedule.fromStep(
        Effect.succeed((now: number): Effect.Effect<[number, Duration.Duration]> => {
          times.push(now)
          return Effect.succeed([now, Duration.seconds(1)])
        })
      )
      const { effect } = scripted(Exit.fail("no"))
      yield* settle(Retry.retry(effect, { backoff: schedule }))
      assert.deepStrictEqual(times, [0, 1000])
    })
  )

  it.effect("that stops ends the retrying with the last error", () =>
    Effect.gen(function* () {
      const { effect, starts } = scripted(Exit.fail("a"), Exit.fail("b"), Exit.fail("c"))
      const { exit } = yield* settle(Retry.retry(effect, { backoff: Schedule.recurs(1), maxAttempts: 9 }))
      assert.deepStrictEqual(exit, Exit.fail("b"))
      assert.lengthOf(starts, 2)
    })
  )

  it.effect("that fails fails the retry with its error", () =>
    Effect.gen(function* () {
      const schedule = Schedule.while(Schedule.forever, () => Effect.fail("schedule"))
      const { effect, starts } = scripted(Exit.fail("no"))
      assert.deepStrictEqual((yield* settle(Retry.retry(effect, { backoff: schedule }))).exit, Exit.fail("schedule"))
      assert.lengthOf(starts, 1)
    })
  )

  it.effect("with an infinite delay ends the retrying instead of sleeping for ever", () =>
    Effect.gen(function* () {
      const { effect, starts } = scripted(Exit.fail("no"))
      const { exit } = yield* settle(Retry.retry(effect, { backoff: Schedule.spaced("Infinity") }))
      assert.deepStrictEqual(exit, Exit.fail("no"))
      assert.lengthOf(starts, 1)
    })
  )

  it.effect("with a negative delay is no sleep", () =>
    Effect.gen(function* () {
      const delays: Array<number> = []
      const { effect, starts } = scripted(Exit.fail("no"))
      const onRetry = ({ delay }: Retry.FailedAttempt<string>) =>
        Effect.sync(() => delays.push(Duration.toMillis(delay)))
      yield* settle(Retry.retry(effect, { backoff: Schedule.spaced("-5 seconds"), onRetry }))
      assert.deepStrictEqual(starts, [0, 0, 0])
      assert.deepStrictEqual(delays, [0, 0])
    })
  )

  it.effect("uses its services", () =>
    Effect.gen(function* () {
      class Pace extends Context.Service<Pace, Duration.Input>()("Pace") {}
      const paced = Schedule.addDelay(Schedule.forever, () => Pace)
      const { effect, starts } = scripted(Exit.fail("no"))
      yield* settle(Retry.retry(effect, { backoff: paced }).pipe(Effect.provideService(Pace, "3 seconds")))
      assert.deepStrictEqual(starts, [0, 3000, 6000])
    })
  )
})

describe("retryAfter", () => {
  const attempts = Effect.fnUntraced(function* (hint: unknown, maxRetryAfter?: Duration.Input) {
    const { effect, starts } = scripted(Exit.fail(new Unavailable({ retryAfter: hint })))
    yield* settle(Retry.retry(effect, { maxAttempts: 2, backoff: second, maxRetryAfter }))
    return starts
  })

  const table: ReadonlyArray<readonly [string, hint: unknown, starts: ReadonlyArray<number>]> = [
    ["longer than the backoff is waited for", Duration.seconds(5), [0, 5000]],
    ["equal to the backoff", Duration.seconds(1), [0, 1000]],
    ["shorter than the backoff changes nothing", Duration.millis(999), [0, 1000]],
    ["in milliseconds", 2500, [0, 2500]],
    ["as text", "3 seconds", [0, 3000]],
    ["as an object", { seconds: 4 }, [0, 4000]],
    ["of zero changes nothing", 0, [0, 1000]],
    ["of maxRetryAfter is waited for", Duration.minutes(1), [0, 60_000]],
    ["longer than maxRetryAfter ends the retrying", Duration.millis(60_001), [0]],
    ["that is infinite ends the retrying", Duration.infinity, [0]],
    ["that is infinite as a number ends the retrying", Infinity, [0]],
    ["that is infinite as text ends the retrying", "Infinity", [0]],
    ["of more seconds than a number holds milliseconds ends the retrying", { seconds: 1e308 }, [0]],
    ["of more nanoseconds than a number holds ends the retrying", 10n ** 400n, [0]],
    ["of the most milliseconds that a number holds ends the retrying", Number.MAX_VALUE, [0]],
    ["that is NaN is ignored", Number.NaN, [0, 1000]],
    ["that is negative is ignored", -5000, [0, 1000]],
    ["that is minus infinity is ignored", Number.NEGATIVE_INFINITY, [0, 1000]],
    ["that cannot be parsed is ignored", "120", [0, 1000]],
    ["that is a boolean is ignored", true, [0, 1000]],
    ["that is null is ignored", null, [0, 1000]],
    ["that is undefined is ignored", undefined, [0, 1000]],
    ["that is a symbol is ignored", Symbol.iterator, [0, 1000]],
    ["that is a function is ignored", () => 5000, [0, 1000]],
    ["that is an object of another kind is ignored", new Date(0), [0, 1000]],
    ["with NaN seconds is ignored", { seconds: Number.NaN }, [0, 1000]],
    ["that is a list of anything is ignored", ["1 second"], [0, 1000]]
  ]
  for (const [name, hint, expected] of table) {
    it.effect(`a hint ${name}`, () =>
      Effect.map(attempts(hint), (starts) => assert.deepStrictEqual(starts, [...expected]))
    )

    it.effect(`a hint of the function ${name}`, () =>
      Effect.gen(function* () {
        const { effect, starts } = scripted(Exit.fail("no"))
        const retryAfter = () => hint as Duration.Input | undefined
        yield* settle(Retry.retry(effect, { maxAttempts: 2, backoff: second, retryAfter }))
        assert.deepStrictEqual(starts, [...expected])
      })
    )
  }

  it.effect("a hint that throws when it is read is ignored", () =>
    Effect.gen(function* () {
      const error = {
        get retryAfter(): never {
          throw new Error("no")
        }
      }
      const { effect, starts } = scripted(Exit.fail(error))
      yield* settle(Retry.retry(effect, { maxAttempts: 2, backoff: second }))
      assert.deepStrictEqual(starts, [0, 1000])
    })
  )

  it.effect("a function replaces the property and gets the error", () =>
    Effect.gen(function* () {
      const { effect, starts } = scripted(Exit.fail({ retryAfter: "9 seconds", wait: "2 seconds" as const }))
      yield* settle(Retry.retry(effect, { backoff: second, retryAfter: ({ wait }) => wait }))
      assert.deepStrictEqual(starts, [0, 2000, 4000])
    })
  )

  it.effect("a function that throws is a defect", () =>
    Effect.gen(function* () {
      const bug = () => {
        throw new Error("bug")
      }
      const { exit } = yield* settle(Retry.retry(Effect.fail("no"), { retryAfter: bug }))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
    })
  )

  it.effect("maxRetryAfter sets the longest wait", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* attempts("2 seconds", "2 seconds"), [0, 2000])
      assert.deepStrictEqual(yield* attempts("2001 millis", "2 seconds"), [86_400_000])
    })
  )

  it.effect("a hint beyond maxRetryAfter fails with the error itself", () =>
    Effect.gen(function* () {
      for (const retryAfter of ["1 hour", Duration.infinity]) {
        const error = new Unavailable({ retryAfter })
        for (const retried of [Retry.retry(Effect.fail(error)), Retry.retryOrExhausted(Effect.fail(error))]) {
          assert.deepStrictEqual((yield* settle(retried)).exit, Exit.fail(error))
        }
      }
    })
  )
})

describe("maxElapsed", () => {
  const backoff = second

  for (const [maxElapsed, expected] of [
    [999, [0]],
    [1000, [0, 1000]],
    [1001, [0, 1000]],
    [1999, [0, 1000]],
    [2000, [0, 1000, 2000]]
  ] as const) {
    it.effect(`of ${maxElapsed} begins attempts at ${expected.join(", ")}`, () =>
      Effect.gen(function* () {
        const { effect, starts } = scripted(Exit.fail("no"))
        const { at, exit } = yield* settle(Retry.retry(effect, { maxAttempts: 9, backoff, maxElapsed }))
        assert.deepStrictEqual(exit, Exit.fail("no"))
        assert.deepStrictEqual(starts, [...expected])
        assert.strictEqual(at, expected.at(-1))
      })
    )
  }

  it.effect("counts the time of the attempts", () =>
    Effect.gen(function* () {
      const { effect, starts } = scripted(Exit.fail("no"))
      const slow = Effect.andThen(Effect.sleep("700 millis"), effect)
      const { at } = yield* settle(Retry.retry(slow, { maxAttempts: 9, backoff, maxElapsed: 2500 }))
      assert.deepStrictEqual(starts, [700, 2400])
      assert.strictEqual(at, 2400)
    })
  )

  it.effect("is counted from the start of each run", () =>
    Effect.gen(function* () {
      const { effect, starts } = scripted(Exit.fail("no"))
      const retried = Retry.retry(effect, { backoff, maxElapsed: 1000 })
      yield* settle(retried)
      yield* settle(retried)
      assert.deepStrictEqual(starts, [0, 1000, 86_400_000, 86_401_000])
    })
  )

  it.effect("ends the retrying where a hint would go beyond it", () =>
    Effect.gen(function* () {
      const { effect, starts } = scripted(Exit.fail(new Unavailable({ retryAfter: 1500 })))
      const { at } = yield* settle(Retry.retry(effect, { backoff, maxElapsed: 1400 }))
      assert.deepStrictEqual({ starts, at }, { starts: [0], at: 0 })
    })
  )

  it.effect("interrupts no attempt", () =>
    Effect.gen(function* () {
      const slow = Effect.as(Effect.sleep("1 minute"), "done")
      assert.deepStrictEqual((yield* settle(Retry.retry(slow, { maxElapsed: 1 }))).exit, Exit.succeed("done"))
    })
  )

  it.effect("counts the time of onRetry: no sleep and no attempt after it", () =>
    Effect.gen(function* () {
      const { effect, starts } = scripted(Exit.fail("no"))
      const onRetry = () => Effect.sleep("5 seconds")
      const { at } = yield* settle(Retry.retry(effect, { backoff, maxElapsed: 5500, onRetry }))
      assert.deepStrictEqual({ starts, at }, { starts: [0], at: 5000 })
    })
  )

  it.effect("counts the time of onRetry without a delay", () =>
    Effect.gen(function* () {
      const { effect, starts } = scripted(Exit.fail("no"))
      const onRetry = () => Effect.sleep("5 seconds")
      const { at } = yield* settle(Retry.retry(effect, { backoff: atOnce, maxElapsed: 4000, onRetry }))
      assert.deepStrictEqual({ starts, at }, { starts: [0], at: 5000 })
    })
  )

  it.effect("begins no attempt after a sleep that took too long", () =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const late: Clock.Clock = Object.assign(Object.create(clock), {
        sleep: (duration: Duration.Duration) => clock.sleep(Duration.times(duration, 3))
      })
      const { effect, starts } = scripted(Exit.fail("no"))
      const retried = Retry.retryOrExhausted(effect, { backoff, maxElapsed: 2000 })
      const { at, exit } = yield* settle(Effect.provideService(retried, Clock.Clock, late))
      assert.deepStrictEqual({ starts, at }, { starts: [0], at: 3000 })
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      assert.include(error, { why: "elapsed", attempts: 1 })
    })
  )

  it.effect("does not follow a wall clock that is set back", () =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const wrong: Clock.Clock = Object.assign(Object.create(clock), {
        currentTimeMillisUnsafe: () => -clock.currentTimeMillisUnsafe()
      })
      const { effect, starts } = scripted(Exit.fail("no"))
      const retried = Retry.retry(effect, { maxAttempts: 9, backoff, maxElapsed: 2000 })
      yield* settle(Effect.provideService(retried, Clock.Clock, wrong))
      assert.lengthOf(starts, 3)
    })
  )

  it.effect("bounds infinite attempts", () =>
    Effect.gen(function* () {
      const { effect, starts } = scripted(Exit.fail("no"))
      const options = { maxAttempts: Number.POSITIVE_INFINITY, backoff, maxElapsed: "1 minute" } as const
      const { exit } = yield* settle(Retry.retry(effect, options))
      assert.deepStrictEqual(exit, Exit.fail("no"))
      assert.lengthOf(starts, 61)
    })
  )
})

describe("onRetry", () => {
  it.effect("gets attempt, error and delay before the sleep, and nothing after the last attempt", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const { effect } = scripted(Exit.fail("a"), Exit.fail("b"), Exit.fail("c"))
      const backoff = Backoff.exponential({ initial: "1 second", jitter: "none" })
      const onRetry = ({ attempt, delay, error }: Retry.FailedAttempt<string>) =>
        Effect.map(Clock.currentTimeMillis, (at) => seen.push({ attempt, error, delay: Duration.toMillis(delay), at }))
      yield* settle(Retry.retry(effect, { backoff, onRetry }))
      assert.deepStrictEqual(seen, [
        { attempt: 1, error: "a", delay: 1000, at: 0 },
        { attempt: 2, error: "b", delay: 2000, at: 1000 }
      ])
    })
  )

  it.effect("gets the delay of a hint", () =>
    Effect.gen(function* () {
      const delays: Array<number> = []
      const { effect } = scripted(Exit.fail(new Unavailable({ retryAfter: "7 seconds" })))
      const onRetry = ({ delay }: Retry.FailedAttempt<Unavailable>) =>
        Effect.sync(() => delays.push(Duration.toMillis(delay)))
      yield* settle(Retry.retry(effect, { maxAttempts: 2, backoff: second, onRetry }))
      assert.deepStrictEqual(delays, [7000])
    })
  )

  it.effect("is not run for what is not retried", () =>
    Effect.gen(function* () {
      const onRetry = () => Effect.die("onRetry was run")
      const exits = [
        Retry.retry(Effect.fail("no"), { onRetry, maxAttempts: 1 }),
        Retry.retry(Effect.fail("no"), { onRetry, while: () => false }),
        Retry.retry(Effect.fail("no"), { onRetry, backoff: second, maxElapsed: 1 }),
        Retry.retry(Effect.fail("no"), { onRetry, backoff: Schedule.recurs(0) }),
        Retry.retry(Effect.fail("no"), { onRetry, retryAfter: () => "1 hour" })
      ]
      for (const retried of exits) assert.deepStrictEqual((yield* settle(retried)).exit, Exit.fail("no"))
    })
  )

  it.effect("uses its services, and its defect is a defect", () =>
    Effect.gen(function* () {
      class Log extends Context.Service<Log, Array<string>>()("Log") {}
      const log: Array<string> = []
      const onRetry = ({ error }: Retry.FailedAttempt<string>) => Log.useSync((log) => log.push(error))
      yield* settle(Retry.retry(Effect.fail("no"), { onRetry }).pipe(Effect.provideService(Log, log)))
      assert.deepStrictEqual(log, ["no", "no"])
      const { exit } = yield* settle(Retry.retry(Effect.fail("no"), { onRetry: () => Effect.die("bug") }))
      assert.deepStrictEqual(exit, Exit.die("bug"))
    })
  )
})

describe("interruption", () => {
  it.effect("during the delay ends the retry at once", () =>
    Effect.gen(function* () {
      const { effect, starts } = scripted(Exit.fail("no"))
      const fiber = yield* Effect.forkChild(Retry.retry(effect, { backoff: second }))
      yield* TestClock.adjust("500 millis")
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("1 hour")
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
      assert.deepStrictEqual(starts, [0])
    })
  )

  it.effect("of an attempt runs its finalizers and is not retried", () =>
    Effect.gen(function* () {
      const started = yield* Deferred.make<void>()
      let attempts = 0
      let released = 0
      const attempt = Effect.acquireUseRelease(
        Effect.sync(() => attempts++),
        () => Effect.andThen(Deferred.succeed(started, undefined), Effect.never),
        () => Effect.sync(() => released++)
      )
      const fiber = yield* Effect.forkChild(Retry.retry(attempt, { backoff: atOnce }))
      yield* Deferred.await(started)
      yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
      assert.deepStrictEqual([attempts, released], [1, 1])
    })
  )

  it.effect("finalizers of an attempt end before the next begins", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const attempt = Effect.acquireUseRelease(
        Effect.sync(() => log.push("acquire")),
        () => Effect.fail("no"),
        () =>
          Effect.andThen(
            Effect.sleep("1 second"),
            Effect.sync(() => log.push("release"))
          )
      )
      yield* settle(Retry.retry(attempt, { maxAttempts: 2, backoff: atOnce }))
      assert.deepStrictEqual(log, ["acquire", "release", "acquire", "release"])
    })
  )
})

describe("retryOrExhausted", () => {
  const exhausted = Effect.fnUntraced(function* <A, E, R>(effect: Effect.Effect<A, E, R>) {
    const { exit } = yield* settle(effect)
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    if (!(error instanceof Retry.RetryExhaustedError)) return assert.fail(`${String(error)} is no RetryExhaustedError`)
    const { attempts, elapsed, lastError, why } = error
    return { attempts, elapsed: Duration.toMillis(elapsed), lastError, why }
  })

  it.effect("P3 RetryExhaustedError with attempts and last exception", () =>
    Effect.gen(function* () {
      const { effect } = scripted(Exit.fail("a"), Exit.fail("b"), Exit.fail("c"))
      assert.deepStrictEqual(yield* exhausted(Retry.retryOrExhausted(effect, { backoff: second })), {
        attempts: 3,
        elapsed: 2000,
        lastError: "c",
        why: "attempts"
      })
    })
  )

  it.effect("says when time ran out, with the time that passed", () =>
    Effect.gen(function* () {
      const slow = Effect.andThen(Effect.sleep("300 millis"), Effect.fail("no"))
      const options = { maxAttempts: 9, backoff: second, maxElapsed: "2 seconds" } as const
      assert.deepStrictEqual(yield* exhausted(Retry.retryOrExhausted(slow, options)), {
        attempts: 2,
        elapsed: 1600,
        lastError: "no",
        why: "elapsed"
      })
    })
  )

  it.effect("says when the schedule stopped", () =>
    Effect.gen(function* () {
      for (const [backoff, attempts] of [
        [Schedule.recurs(1), 2],
        [Schedule.spaced("Infinity"), 1]
      ] as const) {
        assert.deepStrictEqual(
          yield* exhausted(Retry.retryOrExhausted(Effect.fail("no"), { backoff, maxAttempts: 9 })),
          {
            attempts,
            elapsed: 0,
            lastError: "no",
            why: "schedule"
          }
        )
      }
    })
  )

  it.effect("is for a single attempt too", () =>
    Effect.gen(function* () {
      assert.include(yield* exhausted(Retry.retryOrExhausted(Effect.fail("no"), { maxAttempts: 1 })), {
        attempts: 1,
        why: "attempts"
      })
    })
  )

  it.effect("fails with the error itself where it is not retried, also after retries", () =>
    Effect.gen(function* () {
      const { effect, starts } = scripted<never, Unavailable | NotFound>(
        Exit.fail(new Unavailable({})),
        Exit.fail(new NotFound())
      )
      const { exit } = yield* settle(effect.pipe(Retry.retryOrExhausted({ while: "Unavailable" })))
      assert.deepStrictEqual(exit, Exit.fail(new NotFound()))
      assert.lengthOf(starts, 2)
    })
  )

  it.effect("an error that is not retried passes as itself in the last attempt too", () =>
    Effect.gen(function* () {
      const { effect } = scripted<never, Unavailable | NotFound>(
        Exit.fail(new Unavailable({})),
        Exit.fail(new NotFound())
      )
      const { exit } = yield* settle(effect.pipe(Retry.retryOrExhausted({ while: "Unavailable", maxAttempts: 2 })))
      assert.deepStrictEqual(exit, Exit.fail(new NotFound()))
    })
  )

  it.effect("succeeds with the value", () =>
    Effect.gen(function* () {
      const { effect } = scripted(Exit.fail("no"), Exit.succeed(undefined))
      assert.deepStrictEqual((yield* settle(Retry.retryOrExhausted(effect))).exit, Exit.succeed(undefined))
    })
  )

  it("says what happened in its message, and has the last error as its cause", () => {
    const table: ReadonlyArray<readonly [lastError: unknown, text: string]> = [
      ["no", "no"],
      [new Error("broken"), "broken"],
      [new NotFound(), "NotFound"],
      [{ _tag: "Odd", message: "strange" }, "Odd: strange"],
      [new Retry.UnacceptedValue({ value: 3 }), "the value was not accepted"],
      [undefined, "undefined"],
      [{ status: 500 }, "an object"],
      [null, "null"]
    ]
    for (const [lastError, text] of table) {
      const error = new Retry.RetryExhaustedError({
        attempts: 3,
        elapsed: Duration.millis(1500),
        lastError,
        why: "attempts"
      })
      assert.strictEqual(error.message, `gave up after 3 attempts in 1s 500ms (attempts): ${text}`)
      assert.strictEqual(error.cause, lastError)
    }
    const one = new Retry.RetryExhaustedError({ attempts: 1, elapsed: Duration.zero, lastError: "no", why: "schedule" })
    assert.strictEqual(one.message, "gave up after 1 attempt in 0 (schedule): no")
  })
})

describe("retryUntil", () => {
  const positive = { until: (n: number) => n > 0, backoff: second }

  it.effect("runs once where the first value is accepted", () =>
    Effect.gen(function* () {
      const { effect, starts } = scripted(Exit.succeed(1))
      assert.deepStrictEqual((yield* settle(effect.pipe(Retry.retryUntil(positive)))).exit, Exit.succeed(1))
      assert.lengthOf(starts, 1)
    })
  )

  it.effect("runs again until the value is accepted", () =>
    Effect.gen(function* () {
      const { effect, starts } = scripted(Exit.succeed(-1), Exit.succeed(0), Exit.succeed(5))
      assert.deepStrictEqual((yield* settle(Retry.retryUntil(effect, positive))).exit, Exit.succeed(5))
      assert.deepStrictEqual(starts, [0, 1000, 2000])
    })
  )

  for (const value of [0, "", null, undefined, false]) {
    it.effect(`accepts ${String(value) || "an empty string"}`, () =>
      Effect.gen(function* () {
        const { exit } = yield* settle(Retry.retryUntil(Effect.succeed(value), { until: (v) => v === value }))
        assert.deepStrictEqual(exit, Exit.succeed(value))
      })
    )
  }

  it.effect("fails with the last value where attempts run out", () =>
    Effect.gen(function* () {
      const { effect } = scripted(Exit.succeed(-1), Exit.succeed(-2), Exit.succeed(-3))
      const error = yield* settle(Effect.flip(Retry.retryUntil(effect, positive)))
      assert.deepStrictEqual(
        error.exit,
        Exit.succeed(
          new Retry.RetryExhaustedError({
            attempts: 3,
            elapsed: Duration.seconds(2),
            lastError: new Retry.UnacceptedValue({ value: -3 }),
            why: "attempts"
          })
        )
      )
    })
  )

  it.effect("counts failures and values as attempts alike", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const { effect } = scripted<number, string>(Exit.fail("a"), Exit.succeed(-1), Exit.fail("b"))
      const { exit } = yield* settle(
        effect.pipe(
          Retry.retryUntil({
            ...positive,
            onRetry: ({ attempt, error }) => Effect.sync(() => seen.push([attempt, error]))
          }),
          Effect.flip
        )
      )
      assert.deepStrictEqual(seen, [
        [1, "a"],
        [2, new Retry.UnacceptedValue({ value: -1 })]
      ])
      assert.isTrue(
        Exit.isSuccess(exit) && exit.value instanceof Retry.RetryExhaustedError && exit.value.lastError === "b"
      )
    })
  )

  it.effect("shows errors to while, and no values", () =>
    Effect.gen(function* () {
      const shown: Array<string> = []
      const { effect } = scripted<number, string>(Exit.succeed(-1), Exit.fail("a"), Exit.succeed(1))
      yield* settle(Retry.retryUntil(effect, { ...positive, while: (error) => shown.push(error) > 0 }))
      assert.deepStrictEqual(shown, ["a"])
      const failing = scripted<number, string>(Exit.succeed(-1), Exit.fail("a"))
      const { exit } = yield* settle(Retry.retryUntil(failing.effect, { ...positive, while: () => false }))
      assert.deepStrictEqual(exit, Exit.fail("a"))
    })
  )

  it.effect("waits for the hint that retryAfter reads from the value", () =>
    Effect.gen(function* () {
      const { effect, starts } = scripted(Exit.succeed({ done: false, wait: 5000 }))
      const retryAfter = ({ value }: Retry.UnacceptedValue<{ readonly wait: number }>) => value.wait
      yield* settle(Retry.retryUntil(effect, { until: ({ done }) => done, backoff: second, retryAfter }))
      assert.deepStrictEqual(starts, [0, 5000, 10_000])
    })
  )

  it.effect("gives up where the value asks for more than maxRetryAfter", () =>
    Effect.gen(function* () {
      const { effect, starts } = scripted(Exit.succeed({ done: false }))
      const options = { until: ({ done }: { readonly done: boolean }) => done, retryAfter: () => "1 hour" as const }
      const { exit } = yield* settle(Effect.flip(Retry.retryUntil(effect, options)))
      assert.isTrue(Exit.isSuccess(exit) && exit.value.why === "retryAfter" && exit.value.attempts === 1)
      assert.lengthOf(starts, 1)
    })
  )

  it.effect("reads no hint from a property of the value", () =>
    Effect.gen(function* () {
      const { effect, starts } = scripted(Exit.succeed({ done: false, retryAfter: 9000 }))
      yield* settle(Retry.retryUntil(effect, { until: ({ done }) => done, backoff: second }))
      assert.deepStrictEqual(starts, [0, 1000, 2000])
    })
  )

  it.effect("begins no attempt after maxElapsed", () =>
    Effect.gen(function* () {
      const { effect, starts } = scripted(Exit.succeed(0))
      const { exit } = yield* settle(Effect.flip(Retry.retryUntil(effect, { ...positive, maxElapsed: 1000 })))
      assert.isTrue(Exit.isSuccess(exit) && exit.value.why === "elapsed")
      assert.deepStrictEqual(starts, [0, 1000])
    })
  )

  it.effect("an until that throws is a defect, and is not retried", () =>
    Effect.gen(function* () {
      const { effect, starts } = scripted(Exit.succeed(0))
      const bug = () => {
        throw new Error("bug")
      }
      const { exit } = yield* settle(Retry.retryUntil(effect, { until: bug }))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      assert.lengthOf(starts, 1)
    })
  )
})

describe("describe", () => {
  it("holds the defaults", () => {
    assert.deepStrictEqual(Retry.describe(), {
      maxAttempts: 3,
      backoff: { type: "exponential", initial: 100, max: 60_000, factor: 2, jitter: "full" },
      maxElapsed: "none",
      while: "every error",
      retryRefusals: false,
      maxRetryAfter: 60_000,
      retryAfter: "error.retryAfter",
      onRetry: "none"
    })
    assert.deepStrictEqual(Retry.describe(Retry.defaults), Retry.describe({}))
  })

  it("holds what was given", () => {
    const description = Retry.describe({
      maxAttempts: Number.POSITIVE_INFINITY,
      backoff: Schedule.forever,
      maxElapsed: "2 seconds",
      while: (error: string) => error === "no",
      retryRefusals: true,
      maxRetryAfter: "5 seconds",
      retryAfter: () => undefined,
      onRetry: () => Effect.void
    })
    assert.deepStrictEqual(description, {
      maxAttempts: "Infinity",
      backoff: "a schedule",
      maxElapsed: 2000,
      while: "a predicate",
      retryRefusals: true,
      maxRetryAfter: 5000,
      retryAfter: "a function",
      onRetry: "an effect"
    })
  })

  it("holds tags", () => {
    assert.deepStrictEqual(Retry.describe({ while: "A" }).while, ["A"])
    assert.deepStrictEqual(Retry.describe({ while: ["A", "B"] }).while, ["A", "B"])
    assert.deepStrictEqual(Retry.describe({ while: Retry.tags("A", "B") }).while, ["A", "B"])
  })

  it("is plain data", () => {
    const description = Retry.describe({ maxAttempts: Number.POSITIVE_INFINITY, maxElapsed: 1, while: ["A"] })
    assert.deepStrictEqual(JSON.parse(JSON.stringify(description)), description)
  })
})

describe("bad options", () => {
  // Types are broken on purpose: the options may come from JavaScript.
  const bad = (value: unknown) => value as never
  const duration = "a finite duration > 0"
  const table: ReadonlyArray<readonly [options: object, field: string, value: unknown, rule: string]> = [
    ...[0, -1, 1.5, Number.NaN, "3", null].map(
      (value) => [{ maxAttempts: value }, "maxAttempts", value, "an integer >= 1"] as const
    ),
    [
      { maxAttempts: Number.POSITIVE_INFINITY },
      "maxAttempts",
      Number.POSITIVE_INFINITY,
      "an integer >= 1, or Infinity together with maxElapsed"
    ],
    ...[0, -1, Number.NaN, Number.POSITIVE_INFINITY, "soon", "Infinity", null, true].flatMap(
      (value): ReadonlyArray<readonly [object, string, unknown, string]> => [
        [{ maxElapsed: value }, "maxElapsed", value, duration],
        [{ maxRetryAfter: value }, "maxRetryAfter", value, duration]
      ]
    ),
    ...[null, "1 second", 5, {}].map((value) => [{ backoff: value }, "backoff", value, "a Schedule"] as const),
    ...["false", 0, null].map((value) => [{ retryRefusals: value }, "retryRefusals", value, "true or false"] as const),
    ...["", " "].flatMap((value): ReadonlyArray<readonly [object, string, unknown, string]> => [
      [{ while: value }, "while", value, "a non-empty string"],
      [{ while: ["A", value] }, "while.1", value, "a non-empty string"]
    ]),
    [{ while: ["A", 3] }, "while.1", 3, "a non-empty string"],
    ...[[], 3, null, {}, true].map(
      (value) => [{ while: value }, "while", value, "a predicate, a tag or a list of at least one tag"] as const
    ),
    ...["x", 3, null, {}].flatMap((value): ReadonlyArray<readonly [object, string, unknown, string]> => [
      [{ retryAfter: value }, "retryAfter", value, "a function"],
      [{ onRetry: value }, "onRetry", value, "a function"]
    ])
  ]

  for (const [options, field, value, rule] of table) {
    it(`${field} ${typeof value === "string" ? JSON.stringify(value) : String(value)} is refused when the retry is built`, () => {
      for (const build of [
        () => Retry.retry(bad(options)),
        () => Retry.retry(Effect.void, bad(options)),
        () => Retry.retryOrExhausted(bad(options)),
        () => Retry.retryUntil(bad({ until: () => true, ...options })),
        () => Retry.describe(bad(options))
      ]) {
        const error = rejected(build)
        assert.strictEqual(error.module, "Retry")
        assert.strictEqual(error.field, field)
        assert.deepStrictEqual(error.value, value)
        assert.strictEqual(error.rule, rule)
      }
    })
  }

  it("retryUntil without a function as until is refused", () => {
    for (const until of [undefined, null, "done", true]) {
      for (const build of [
        () => Retry.retryUntil(bad({ until })),
        () => Retry.retryUntil(Effect.void, bad({ until }))
      ]) {
        assert.include(rejected(build), { module: "Retry", field: "until", value: until, rule: "a function" })
      }
    }
    assert.include(
      rejected(() => Retry.retryUntil(bad(undefined))),
      { field: "until", value: undefined }
    )
  })

  it("tags are plain data", () => {
    assert.deepStrictEqual(Retry.tags("A", "B"), { _tag: "Tags", tags: ["A", "B"] })
  })

  it("tags without a tag are refused", () => {
    assert.include(
      rejected(() => Retry.tags()),
      { module: "Retry", field: "while" }
    )
    assert.include(
      rejected(() => Retry.tags("A", "")),
      { module: "Retry", field: "while.1", value: "" }
    )
  })

  it("undefined is not given", () => {
    const options = {
      maxAttempts: undefined,
      backoff: undefined,
      maxElapsed: undefined,
      while: undefined,
      retryRefusals: undefined,
      maxRetryAfter: undefined,
      retryAfter: undefined,
      onRetry: undefined
    }
    assert.deepStrictEqual(Retry.describe(options), Retry.describe())
  })
})

describe("Config", () => {
  const decode = Schema.decodeUnknownEffect(Retry.Config)

  it.effect("reads every option", () =>
    Effect.gen(function* () {
      const options = yield* decode({
        maxAttempts: 5,
        backoff: { type: "constant", delay: "2 seconds" },
        maxElapsed: "10 seconds",
        while: ["Unavailable", "Timeout"],
        retryRefusals: true,
        maxRetryAfter: 3000
      })
      assert.deepStrictEqual(Retry.describe(options), {
        ...Retry.describe(),
        maxAttempts: 5,
        backoff: { type: "constant", delay: 2000, jitter: "none" },
        maxElapsed: 10_000,
        while: ["Unavailable", "Timeout"],
        retryRefusals: true,
        maxRetryAfter: 3000
      })
      const unavailable = scripted(Exit.fail(new Unavailable({})))
      const notFound = scripted(Exit.fail(new NotFound()))
      yield* settle(Retry.retry(unavailable.effect, options))
      yield* settle(notFound.effect.pipe(Retry.retry(options)))
      assert.deepStrictEqual([unavailable.starts, notFound.starts.length], [[0, 2000, 4000, 6000, 8000], 1])
    })
  )

  it.effect("has the defaults of retry", () =>
    Effect.map(decode({}), (options) => assert.deepStrictEqual(Retry.describe(options), Retry.describe()))
  )

  it.effect("reads a single tag and infinite attempts", () =>
    Effect.gen(function* () {
      const options = yield* decode({ maxAttempts: "Infinity", maxElapsed: "1 second", while: "A" })
      assert.include(Retry.describe(options), { maxAttempts: "Infinity", maxElapsed: 1000 })
      assert.deepStrictEqual(Retry.describe(options).while, ["A"])
    })
  )

  it.effect("encodes what it decodes", () =>
    Effect.gen(function* () {
      for (const json of [
        {},
        { maxAttempts: 2, while: ["A"], backoff: { type: "fibonacci" }, retryRefusals: false },
        { maxAttempts: "Infinity", maxElapsed: "1 second", maxRetryAfter: 5 }
      ]) {
        const options = yield* decode(json)
        const encoded: unknown = JSON.parse(JSON.stringify(yield* Schema.encodeEffect(Retry.Config)(options)))
        assert.deepStrictEqual(Retry.describe(yield* decode(encoded)), Retry.describe(options))
      }
    })
  )

  it.effect("reads an environment variable, and names it in the error", () =>
    Effect.gen(function* () {
      const read = (value: string) =>
        Config.schema(Schema.fromJsonString(Retry.Config), "RETRY").parse(
          ConfigProvider.fromEnv({ env: { RETRY: value } })
        )
      assert.include(Retry.describe(yield* read(`{ "maxAttempts": 4 }`)), { maxAttempts: 4 })
      const error = yield* Effect.flip(read(`{ "backoff": { "type": "linear", "factor": 2 } }`))
      assert.include(error.message, `["RETRY"]["backoff"]["factor"]`)
    })
  )

  const table: ReadonlyArray<readonly [json: unknown, path: string, message: string]> = [
    [{ attempts: 3 }, `["attempts"]`, "unknown key"],
    [{ onRetry: "log" }, `["onRetry"]`, "unknown key"],
    [{ maxAttempts: 0 }, `["maxAttempts"]`, "Retry: maxAttempts must be an integer >= 1, got 0"],
    [{ maxAttempts: 1.5 }, `["maxAttempts"]`, "Retry: maxAttempts must be an integer >= 1, got 1.5"],
    [{ maxAttempts: "3" }, `["maxAttempts"]`, "Expected"],
    [{ maxAttempts: "Infinity" }, `["maxAttempts"]`, "Infinity together with maxElapsed"],
    [{ maxElapsed: "soon" }, `["maxElapsed"]`, ""],
    [{ maxElapsed: 0 }, `["maxElapsed"]`, "Retry: maxElapsed must be a finite duration > 0"],
    [{ maxRetryAfter: "Infinity" }, `["maxRetryAfter"]`, "Retry: maxRetryAfter must be a finite duration > 0"],
    [{ while: [] }, `["while"]`, "a list of at least one tag"],
    [{ while: ["A", ""] }, `["while"]["1"]`, "a non-empty string"],
    [{ while: 3 }, `["while"]`, "Expected"],
    [{ retryRefusals: "yes" }, `["retryRefusals"]`, "Expected"],
    [{ backoff: { type: "cubic" } }, `["backoff"]["type"]`, "Backoff: type must be one of"],
    [{ backoff: { type: "exponential", factor: 0 } }, `["backoff"]["factor"]`, "Backoff: factor must be"],
    [{ backoff: { type: "exponential", base: 2 } }, `["backoff"]["base"]`, "Backoff: base must be absent"]
  ]
  for (const [json, path, message] of table) {
    it.effect(`refuses ${JSON.stringify(json)} at ${path}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(decode(json))
        assert.strictEqual(error._tag, "SchemaError")
        assert.include(error.message, path)
        assert.include(error.message, message)
      })
    )
  }
})
