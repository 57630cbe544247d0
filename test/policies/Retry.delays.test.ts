import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Context, Duration, Effect, Exit, Fiber, Random, Schedule } from "effect"
import * as Backoff from "../../src/policies/Backoff.ts"
import * as Retry from "../../src/policies/Retry.ts"
import { Unavailable, second, atOnce, scripted, settle } from "./attempts.ts"

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
