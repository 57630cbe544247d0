import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Context, Deferred, Duration, Effect, Exit, Fiber, Random, Schedule } from "effect"
import { TestClock } from "effect/testing"
import * as Backoff from "../../src/policies/Backoff.ts"
import * as Retry from "../../src/policies/Retry.ts"
import { Unavailable, NotFound, Refused, second, atOnce, scripted, settle } from "./attempts.ts"

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

  it.effect("waits exponentially, retries some errors and fails at once with others", () =>
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

  it.effect("three attempts, waits from 1 second by a factor of 2 up to 60 seconds, with full jitter", () =>
    Effect.gen(function* () {
      const backoff = Backoff.exponential({ initial: "1 second", factor: 2, max: "60 seconds", jitter: "full" })
      const { effect, starts } = scripted(Exit.fail("no"))
      yield* settle(Retry.retry(effect, { maxAttempts: 3, backoff }).pipe(Random.withSeed("retry")))
      assert.lengthOf(starts, 3)
      const [first, next, last] = starts as [number, number, number]
      assert.isTrue(next - first > 0 && next - first < 1000)
      assert.isTrue(last - next > 0 && last - next < 2000)
    })
  )

  it.effect("counts the first attempt, waits with a jitter ratio, retries one tag and runs onRetry", () =>
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

  it("stays synchronous where the effect is", () => {
    let calls = 0
    const effect = Effect.suspend(() => (++calls < 3 ? Effect.fail("no") : Effect.succeed(calls)))
    assert.strictEqual(Effect.runSync(Retry.retry(effect, { backoff: atOnce })), 3)
    assert.strictEqual(Effect.runSync(Retry.retry(Effect.succeed("first"))), "first")
    assert.deepStrictEqual(Effect.runSyncExit(Retry.retry(Effect.fail("no"), { maxAttempts: 1 })), Exit.fail("no"))
    assert.isTrue(
      Exit.isFailure(Effect.runSyncExit(Retry.retryOrExhausted(Effect.fail("no"), { backoff: atOnce, maxElapsed: 1 })))
    )
  })

  it.effect("one set of options serves many effects", () =>
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

  it.effect("waits exponentially up to the longest delay, without jitter", () =>
    Effect.gen(function* () {
      const exponential = scripted(Exit.fail("no"))
      const backoff = Backoff.exponential({ initial: "1 second", max: "4 seconds", factor: 3, jitter: "none" })
      yield* settle(Retry.retry(exponential.effect, { maxAttempts: 4, backoff }))
      assert.deepStrictEqual(exponential.starts, [0, 1000, 4000, 8000])
    })
  )

  it.effect("waits a constant time, with two retries", () =>
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

  it.effect("a retry around a breaker does not retry the breaker's own refusal", () =>
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
