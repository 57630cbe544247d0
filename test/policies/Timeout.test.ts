import { assert, describe, it } from "@effect/vitest"
import { AsyncLocalStorage } from "node:async_hooks"
import { Cause, Clock, Context, Deferred, Duration, Effect, Exit, Fiber, Latch, References, Schema } from "effect"
import { TestClock } from "effect/testing"
import * as Timeout from "../../src/policies/Timeout.ts"
import { invalid } from "../suites/rules.ts"

const exceeded = (after: Duration.Input, operation?: string) =>
  new Timeout.TimeoutExceededError({ after: Duration.fromInputUnsafe(after), operation })

/** Runs an effect to its end in steps of 500 millis, at most 20 seconds. */
const settle = Effect.fnUntraced(function* <A, E, R>(effect: Effect.Effect<A, E, R>) {
  const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
  for (let i = 0; i < 40 && fiber.pollUnsafe() === undefined; i++) yield* TestClock.adjust("500 millis")
  const exit = fiber.pollUnsafe()
  return exit ?? assert.fail("the effect did not end")
})

/** A clock that records the sleeps that were begun and those that are under way. */
const recordingClock = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const begun: Array<number> = []
  let active = 0
  const recording: Clock.Clock = Object.assign(Object.create(clock), {
    sleep: (duration: Duration.Duration) =>
      Effect.suspend(() => {
        begun.push(Duration.toMillis(duration))
        active++
        return Effect.ensuring(
          clock.sleep(duration),
          Effect.sync(() => active--)
        )
      })
  })
  return { begun, active: () => active, provide: Effect.provideService(Clock.Clock, recording) }
})

const turn = Effect.callback<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

describe("Timeout.resolve", () => {
  it("takes a duration, or options with `after`", () => {
    assert.deepStrictEqual(Timeout.resolve("2 seconds"), { after: 2000, operation: undefined })
    assert.deepStrictEqual(Timeout.resolve({ seconds: 2 }), { after: 2000, operation: undefined })
    assert.deepStrictEqual(Timeout.resolve("2 seconds", { operation: "charge" }), {
      after: 2000,
      operation: "charge"
    })
    assert.deepStrictEqual(Timeout.resolve({ after: 1500, operation: "charge" }), {
      after: 1500,
      operation: "charge"
    })
    assert.deepStrictEqual(Timeout.resolve({ after: 1500, operation: undefined }, { operation: "charge" }), {
      after: 1500,
      operation: "charge"
    })
  })
})

describe("bad options", () => {
  const durations: ReadonlyArray<unknown> = [
    0,
    -1,
    Number.NaN,
    Infinity,
    -Infinity,
    "0 seconds",
    "-1 seconds",
    "Infinity",
    "soon",
    "2 second and a half",
    {},
    null,
    Duration.zero,
    Duration.infinity
  ]
  const builds: ReadonlyArray<[string, (after: Duration.Input | Timeout.Options) => unknown]> = [
    ["resolve", (after) => Timeout.resolve(after)],
    ["timeout", (after) => Timeout.timeout(after)],
    ["timeout data-first", (after) => Timeout.timeout(Effect.void, after)],
    ["orElse", (after) => Timeout.orElse(after, () => Effect.void)],
    ["orElseSucceed", (after) => Timeout.orElseSucceed(after, () => 0)]
  ]
  for (const [name, build] of builds) {
    it(`${name} refuses a duration that is zero, negative, infinite or no duration`, () => {
      for (const value of durations) {
        const expected = { module: "Timeout", field: "after", value, rule: "a finite duration > 0" }
        assert.deepStrictEqual(
          invalid(() => build(value as Duration.Input)),
          expected
        )
        assert.deepStrictEqual(
          invalid(() => build({ after: value as Duration.Input })),
          expected
        )
      }
    })
  }

  it("refuses an empty operation", () => {
    for (const value of ["", "  ", 1, null]) {
      const expected = { module: "Timeout", field: "operation", value, rule: "a non-empty string" }
      if (value !== null) {
        assert.deepStrictEqual(
          invalid(() => Timeout.timeout("1 second", { operation: value as string })),
          expected
        )
      }
      if (typeof value === "string") {
        assert.deepStrictEqual(
          invalid(() => Timeout.timeout({ after: "1 second", operation: value })),
          expected
        )
      }
    }
  })

  it("refuses a default that is no function, null and 0 too", () => {
    for (const value of [null, undefined, 0, "", []]) {
      assert.deepStrictEqual(
        invalid(() => Timeout.orElseSucceed("1 second", value as never)),
        { module: "Timeout", field: "orElseSucceed", value, rule: "a function" }
      )
      assert.deepStrictEqual(
        invalid(() => Timeout.orElse("1 second", value as never)),
        { module: "Timeout", field: "orElse", value, rule: "a function" }
      )
    }
  })
})

describe("Timeout.Config", () => {
  const decode = Schema.decodeUnknownSync(Timeout.Config)

  it("decodes text and milliseconds", () => {
    assert.deepStrictEqual(decode({ after: "2 seconds", operation: "charge" }), {
      after: Duration.seconds(2),
      operation: "charge"
    })
    assert.deepStrictEqual(decode({ after: 1500 }), { after: Duration.millis(1500) })
  })

  it("gives options that `timeout` takes", () => {
    assert.deepStrictEqual(Timeout.resolve(decode({ after: "2 seconds", operation: "charge" })), {
      after: 2000,
      operation: "charge"
    })
  })

  const bad: ReadonlyArray<[string, unknown, RegExp]> = [
    ["a zero duration", { after: 0 }, /a finite duration > 0[^]*at \["after"\]/],
    ["a negative duration", { after: "-1 seconds" }, /at \["after"\]/],
    ["an infinite duration", { after: "Infinity" }, /a finite duration > 0[^]*at \["after"\]/],
    ["text that is no duration", { after: "soon" }, /at \["after"\]/],
    ["no duration", {}, /at \["after"\]/],
    ["an empty operation", { after: 1, operation: "" }, /a non-empty string[^]*at \["operation"\]/],
    ["an operation that is no text", { after: 1, operation: 2 }, /at \["operation"\]/],
    ["an unknown key", { after: 1, operations: "x" }, /unknown key[^]*at \["operations"\]/]
  ]
  for (const [name, json, message] of bad) {
    it(`refuses ${name}, with its path`, () => {
      const exit = Schema.decodeUnknownExit(Timeout.Config)(json)
      assert.isTrue(Exit.isFailure(exit))
      assert.match(String(Exit.isFailure(exit) ? Cause.squash(exit.cause) : ""), message)
    })
  }
})

describe("TimeoutExceededError", () => {
  it("names the operation and the duration", () => {
    assert.strictEqual(exceeded("2 seconds", "charge").message, 'Operation "charge" timed out after 2s')
    assert.strictEqual(exceeded("1500 millis").message, "Operation timed out after 1s 500ms")
  })
})

describe("Timeout.timeout", () => {
  it.effect("fails at the deadline with the operation and the duration", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Timeout.timeout(Effect.never, "2 seconds", { operation: "charge" }))
      yield* TestClock.adjust("1999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      const error = yield* Effect.flip(Fiber.join(fiber))
      assert.instanceOf(error, Timeout.TimeoutExceededError)
      assert.strictEqual(error._tag, "TimeoutExceededError")
      assert.strictEqual(error.operation, "charge")
      assert.deepStrictEqual(error.after, Duration.seconds(2))
    })
  )

  it.effect("is written data-first and data-last, with a duration or options", () =>
    Effect.gen(function* () {
      const error = exceeded("1 second", "charge")
      const options = { after: "1 second", operation: "charge" } as const
      const variants = [
        Timeout.timeout(Effect.never, "1 second", { operation: "charge" }),
        Timeout.timeout(Effect.never, options),
        Effect.never.pipe(Timeout.timeout("1 second", { operation: "charge" })),
        Effect.never.pipe(Timeout.timeout(options))
      ]
      for (const variant of variants) assert.deepStrictEqual(yield* settle(variant), Exit.fail(error))
    })
  )

  for (const [name, millis, outcome] of [
    ["before", 1999, Exit.succeed("done")],
    ["at", 2000, Exit.succeed("done")],
    ["after", 2001, Exit.fail(exceeded("2 seconds"))]
  ] as const) {
    it.effect(`lets work that ends ${name} the deadline ${outcome._tag === "Success" ? "succeed" : "fail"}`, () =>
      Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(
          Effect.sleep(millis).pipe(Effect.as("done"), Timeout.timeout("2 seconds"))
        )
        yield* TestClock.adjust("3 seconds")
        assert.deepStrictEqual(fiber.pollUnsafe(), outcome)
      })
    )
  }

  it.effect.prop(
    "ends with the work or at the deadline, whichever comes first",
    [Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 20 })), Schema.Literals([1, 5, 10, 19])],
    ([work, deadline]) =>
      Effect.gen(function* () {
        const start = yield* Clock.currentTimeMillis
        const fiber = yield* Effect.sleep(work).pipe(
          Timeout.timeout(deadline),
          Effect.exit,
          Effect.zip(Clock.currentTimeMillis),
          Effect.forkChild
        )
        yield* TestClock.adjust(20)
        const [exit, end] = yield* Fiber.join(fiber)
        assert.strictEqual(Exit.isSuccess(exit), work <= deadline)
        assert.strictEqual(end - start, Math.min(work, deadline))
      })
  )

  it.effect("counts the deadline from the start of each run", () =>
    Effect.gen(function* () {
      const attempt = Effect.never.pipe(Timeout.timeout("2 seconds"))
      const fiber = yield* Effect.retry(attempt, { times: 2 }).pipe(
        Effect.exit,
        Effect.andThen(Clock.currentTimeMillis),
        Effect.forkChild
      )
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), 6000)
    })
  )

  it.effect("limits an attempt inside a retry and the whole outside it", () =>
    Effect.gen(function* () {
      let attempts = 0
      const call = Effect.andThen(
        Effect.sync(() => attempts++),
        Effect.never
      )
      const exit = yield* settle(
        call.pipe(
          Timeout.timeout("2 seconds", { operation: "attempt" }),
          Effect.retry({ times: 10 }),
          Timeout.timeout("5 seconds", { operation: "total" })
        )
      )
      assert.deepStrictEqual(exit, Exit.fail(exceeded("5 seconds", "total")))
      assert.strictEqual(attempts, 3)
    })
  )
})

describe("the same outcome as Effect.timeout", () => {
  const boom = new Error("boom")
  const works: ReadonlyArray<[string, Effect.Effect<unknown, unknown>]> = [
    ["a value", Effect.succeed(1)],
    ["an undefined value", Effect.succeed(undefined)],
    ["an error", Effect.fail("no")],
    ["an undefined error", Effect.fail(undefined)],
    ["a defect", Effect.die(boom)],
    ["an error with a defect", Effect.failCause(Cause.combine(Cause.fail("no"), Cause.die(boom)))],
    ["a value, later", Effect.as(Effect.sleep("1 second"), 1)],
    ["an error, later", Effect.andThen(Effect.sleep("1 second"), Effect.fail("no"))],
    ["a defect, later", Effect.andThen(Effect.sleep("1 second"), Effect.die(boom))],
    ["a value of a promise", Effect.promise(() => Promise.resolve(1))],
    ["nothing ever", Effect.never],
    ["a value at the deadline", Effect.as(Effect.sleep("2 seconds"), 1)],
    ["a value after the deadline", Effect.as(Effect.sleep("3 seconds"), 1)],
    ["a value after the deadline that cannot be interrupted", Effect.uninterruptible(Effect.sleep("3 seconds"))],
    ["a value that answers the interruption", Effect.catchCause(Effect.never, () => Effect.succeed("late"))],
    ["a slow finalizer", Effect.ensuring(Effect.never, Effect.sleep("3 seconds"))],
    ["a timeout of Effect inside", Effect.timeout(Effect.never, "1 second")],
    ["a timeout of Effect outside", Effect.timeout(Effect.never, "3 seconds")],
    [
      "a scope",
      Effect.scoped(
        Effect.andThen(
          Effect.addFinalizer(() => Effect.void),
          Effect.never
        )
      )
    ],
    ["children", Effect.all([Effect.sleep("1 second"), Effect.never], { concurrency: 2 })]
  ]
  const modes: ReadonlyArray<[string, <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>]> = [
    ["", (self) => self],
    [" in an uninterruptible region", Effect.uninterruptible]
  ]
  const timed = <A, E, R>(self: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      const start = yield* Clock.currentTimeMillis
      const exit = yield* Effect.exit(self)
      return [exit, (yield* Clock.currentTimeMillis) - start] as const
    })
  const asTheirs = (error: unknown) =>
    error instanceof Timeout.TimeoutExceededError ? new Cause.TimeoutError("Operation timed out after '2s'") : error
  for (const [region, mode] of modes) {
    for (const [name, work] of works) {
      it.effect(`for ${name}${region}`, () =>
        Effect.gen(function* () {
          const theirs = yield* settle(timed(mode(Effect.timeout(work, "2 seconds"))))
          const ours = yield* settle(timed(mode(Timeout.timeout(work, "2 seconds"))))
          const translated = Exit.map(ours, ([exit, elapsed]) => [Exit.mapError(exit, asTheirs), elapsed])
          assert.deepStrictEqual<unknown>(translated, theirs)
        })
      )
    }

    it.effect(`for work that interrupts itself${region}`, () =>
      Effect.gen(function* () {
        const theirs = yield* settle(Effect.exit(mode(Effect.timeout(Effect.interrupt, "2 seconds"))))
        const ours = yield* settle(Effect.exit(mode(Timeout.timeout(Effect.interrupt, "2 seconds"))))
        const interrupted = Exit.map((exit: Exit.Exit<unknown, unknown>) => Exit.hasInterrupts(exit))
        assert.deepStrictEqual(interrupted(theirs), Exit.succeed(true))
        assert.deepStrictEqual(interrupted(ours), Exit.succeed(true))
      })
    )
  }
})

describe("the end of the work", () => {
  it.effect("is awaited with its finalizers before the error appears", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const note = (text: string) =>
        Effect.map(Clock.currentTimeMillis, (millis) => {
          log.push(`${millis} ${text}`)
        })
      const exit = yield* settle(
        Effect.never.pipe(
          Effect.onInterrupt(() => note("interrupted")),
          Effect.ensuring(Effect.andThen(Effect.sleep("3 seconds"), note("finalized"))),
          Timeout.timeout("2 seconds"),
          Effect.onError(() => note("error"))
        )
      )
      assert.deepStrictEqual(exit, Exit.fail(exceeded("2 seconds")))
      assert.deepStrictEqual(log, ["2000 interrupted", "5000 finalized", "5000 error"])
    })
  )

  it.effect("by the deadline is an interruption by the caller", () =>
    Effect.gen(function* () {
      const interruptors: Array<number> = []
      const caller = yield* Effect.forkChild(
        Effect.never.pipe(
          Effect.onExit((exit) =>
            Effect.sync(() => {
              if (Exit.isFailure(exit)) interruptors.push(...Cause.interruptors(exit.cause))
            })
          ),
          Timeout.timeout("2 seconds")
        )
      )
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(interruptors, [caller.id])
    })
  )

  it.effect("keeps the defect of a finalizer beside the error", () =>
    Effect.gen(function* () {
      const exit = yield* settle(Effect.never.pipe(Effect.ensuring(Effect.die("leak")), Timeout.timeout("2 seconds")))
      assert.deepStrictEqual(exit, Exit.failCause(Cause.combine(Cause.fail(exceeded("2 seconds")), Cause.die("leak"))))
    })
  )

  it.effect("keeps a late error behind the error of the timeout", () =>
    Effect.gen(function* () {
      const late = Effect.uninterruptible(Effect.andThen(Effect.sleep("3 seconds"), Effect.fail("late")))
      const exit = yield* settle(Timeout.timeout(late, "2 seconds"))
      const error = exceeded("2 seconds")
      assert.deepStrictEqual(
        exit,
        Exit.failCause(Cause.fromReasons<unknown>([Cause.makeFailReason(error), Cause.makeFailReason("late")]))
      )
      assert.deepStrictEqual(yield* settle(Effect.flip(Timeout.timeout(late, "2 seconds"))), Exit.succeed(error))
    })
  )
})

describe("interruption of the caller", () => {
  it.effect("interrupts the work and awaits its finalizers", () =>
    Effect.gen(function* () {
      let finalized = 0
      const fiber = yield* Effect.never.pipe(
        Effect.ensuring(
          Effect.andThen(
            Effect.sleep("1 second"),
            Effect.sync(() => finalized++)
          )
        ),
        Timeout.timeout("10 seconds"),
        Effect.forkChild({ startImmediately: true })
      )
      yield* TestClock.adjust("1 second")
      fiber.interruptUnsafe()
      yield* TestClock.adjust("999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(finalized, 1)
      const exit = yield* Fiber.await(fiber)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
    })
  )

  it.effect("while the work ends at the deadline awaits it too", () =>
    Effect.gen(function* () {
      let finalized = 0
      const fiber = yield* Effect.never.pipe(
        Effect.ensuring(
          Effect.andThen(
            Effect.sleep("3 seconds"),
            Effect.sync(() => finalized++)
          )
        ),
        Timeout.timeout("2 seconds"),
        Effect.forkChild({ startImmediately: true })
      )
      yield* TestClock.adjust("3 seconds")
      fiber.interruptUnsafe()
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(finalized, 1)
      const exit = yield* Fiber.await(fiber)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
    })
  )

  it.effect("keeps the defect of a finalizer", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.never.pipe(
        Effect.ensuring(Effect.die("leak")),
        Timeout.timeout("10 seconds"),
        Effect.forkChild({ startImmediately: true })
      )
      yield* Fiber.interrupt(fiber)
      const exit = yield* Fiber.await(fiber)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterrupts(exit.cause) && Cause.hasDies(exit.cause))
    })
  )

  it.effect("by the work while it starts leaves no work behind", () =>
    Effect.gen(function* () {
      let ended = 0
      const started = yield* Deferred.make<Fiber.Fiber<never, Timeout.TimeoutExceededError>>()
      const fiber: Fiber.Fiber<never, Timeout.TimeoutExceededError> = yield* Deferred.await(started).pipe(
        Effect.flatMap((caller) =>
          Effect.sync(() => caller.interruptUnsafe()).pipe(
            Effect.andThen(Effect.never),
            Effect.ensuring(Effect.sync(() => ended++)),
            Timeout.timeout("10 seconds")
          )
        ),
        Effect.forkChild({ startImmediately: true })
      )
      yield* Deferred.succeed(started, fiber)
      const exit = yield* Fiber.await(fiber)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
      assert.strictEqual(ended, 1)
    })
  )

  it.effect("in an uninterruptible region waits for the deadline", () =>
    Effect.gen(function* () {
      const exits: Array<Exit.Exit<never, Timeout.TimeoutExceededError>> = []
      const fiber = yield* Effect.never.pipe(
        Timeout.timeout("2 seconds"),
        Effect.onExit((exit) => Effect.sync(() => exits.push(exit))),
        Effect.uninterruptible,
        Effect.forkChild({ startImmediately: true })
      )
      fiber.interruptUnsafe()
      yield* TestClock.adjust("1999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(exits, [Exit.fail(exceeded("2 seconds"))])
    })
  )
})

describe("timers", () => {
  it.effect("are not started for work that does not wait", () =>
    Effect.gen(function* () {
      const clock = yield* recordingClock
      assert.strictEqual(
        yield* Timeout.timeout(
          Effect.sync(() => 1),
          "2 seconds"
        ).pipe(clock.provide),
        1
      )
      assert.strictEqual(
        yield* Effect.flip(
          Timeout.timeout(
            Effect.suspend(() => Effect.fail(2)),
            "2 seconds"
          )
        ).pipe(clock.provide),
        2
      )
      yield* turn
      assert.deepStrictEqual(clock.begun, [])
    })
  )

  it("are not needed by a synchronous program", () => {
    assert.strictEqual(
      Effect.runSync(
        Timeout.timeout(
          Effect.sync(() => 1),
          "2 seconds"
        )
      ),
      1
    )
  })

  it.effect("are not started for work that is done within the turn", () =>
    Effect.gen(function* () {
      const clock = yield* recordingClock
      const work = Effect.promise(() => Promise.resolve(1))
      assert.strictEqual(yield* Timeout.timeout(work, "2 seconds").pipe(clock.provide), 1)
      yield* turn
      yield* turn
      assert.deepStrictEqual(clock.begun, [])
    })
  )

  it.effect("are stopped when the work ends before them", () =>
    Effect.gen(function* () {
      const clock = yield* recordingClock
      const latch = yield* Latch.make()
      const fibers = yield* Effect.forEach(Array.from({ length: 100 }), () =>
        latch.await.pipe(Timeout.timeout("2 seconds"), clock.provide, Effect.forkChild({ startImmediately: true }))
      )
      yield* turn
      yield* turn
      assert.strictEqual(clock.active(), 100)
      yield* latch.open
      yield* Fiber.joinAll(fibers)
      assert.strictEqual(clock.active(), 0)
      assert.strictEqual(clock.begun.length, 100)
    })
  )

  it.effect("are stopped when the caller is interrupted", () =>
    Effect.gen(function* () {
      const clock = yield* recordingClock
      const fiber = yield* Effect.never.pipe(
        Timeout.timeout("2 seconds"),
        clock.provide,
        Effect.forkChild({ startImmediately: true })
      )
      yield* turn
      yield* turn
      assert.strictEqual(clock.active(), 1)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(clock.active(), 0)
    })
  )

  it.effect("are not started once the caller is interrupted", () =>
    Effect.gen(function* () {
      const clock = yield* recordingClock
      // The first sleep of a TestClock ends at once in a fiber that is interrupted: it forks its warning interruptibly.
      yield* TestClock.adjust(1)
      const fiber = yield* Effect.never.pipe(
        Effect.ensuring(Effect.sleep("1 second")),
        Timeout.timeout("2 seconds"),
        clock.provide,
        Effect.forkChild({ startImmediately: true })
      )
      fiber.interruptUnsafe()
      yield* TestClock.adjust("1 second")
      assert.isDefined(fiber.pollUnsafe())
      assert.deepStrictEqual(clock.begun, [1000])
    })
  )

  it.effect("count from the start of the work, not from the next turn", () =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const slept: Array<number> = []
      for (const late of [0, 999_999, 1_000_000, 500_000_000, 2_000_000_000, 3_000_000_000]) {
        let readings = 0
        const slow: Clock.Clock = Object.assign(Object.create(clock), {
          monotonicTimeNanosUnsafe: () => BigInt(readings++ * late),
          sleep: (duration: Duration.Duration) => {
            slept.push(Duration.toMillis(duration))
            return Effect.void
          }
        })
        yield* Effect.never.pipe(Timeout.timeout("2 seconds"), Effect.exit, Effect.provideService(Clock.Clock, slow))
      }
      assert.deepStrictEqual(slept, [2000, 2000, 1999, 1500, 0, 0])
    })
  )

  it.effect("that fail end the work and are the outcome", () =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      for (const sleep of [
        () => Effect.die("broken clock"),
        () => {
          throw "broken clock"
        }
      ]) {
        let ended = 0
        const broken: Clock.Clock = Object.assign(Object.create(clock), { sleep })
        const exit = yield* Effect.never.pipe(
          Effect.ensuring(Effect.sync(() => ended++)),
          Timeout.orElseSucceed("2 seconds", () => "default"),
          Effect.exit,
          Effect.provideService(Clock.Clock, broken)
        )
        assert.deepStrictEqual(exit, Exit.die("broken clock"))
        assert.strictEqual(ended, 1)
      }
    })
  )
})

describe("the context of the caller", () => {
  class Name extends Context.Service<Name, { readonly name: string }>()("test/Name") {}
  const Level = Context.Reference<number>("test/Level", { defaultValue: () => 0 })

  it.effect("is seen by the work and by the fallback", () =>
    Effect.gen(function* () {
      const look = Effect.gen(function* () {
        const annotations = yield* References.CurrentLogAnnotations
        const span = yield* Effect.currentSpan
        return [(yield* Name).name, yield* Level, annotations, span.name] as const
      })
      const provide = <A, E>(self: Effect.Effect<A, E, Name>) =>
        self.pipe(
          Effect.provideService(Name, { name: "Ada" }),
          Effect.provideService(Level, 3),
          Effect.annotateLogs("request", "r1"),
          Effect.withSpan("outer")
        )
      const expected = ["Ada", 3, { request: "r1" }, "outer"]
      const inWork = yield* provide(look.pipe(Timeout.timeout("2 seconds")))
      assert.deepStrictEqual<unknown>(inWork, expected)
      const inFallback = yield* settle(provide(Effect.never.pipe(Timeout.orElse("2 seconds", () => look))))
      assert.deepStrictEqual<unknown>(inFallback, Exit.succeed(expected))
    })
  )

  it.effect("holds the async context of the platform", () =>
    Effect.gen(function* () {
      const storage = new AsyncLocalStorage<string>()
      const look = Effect.sync(() => storage.getStore())
      const program = Effect.gen(function* () {
        const atOnce = yield* Timeout.timeout(look, "2 seconds")
        const later = yield* Timeout.timeout(Effect.andThen(turn, look), "2 seconds")
        return [atOnce, later, storage.getStore()]
      })
      const seen = yield* Effect.promise(() => storage.run("r1", () => Effect.runPromise(program)))
      assert.deepStrictEqual(seen, ["r1", "r1", "r1"])
    })
  )
})

describe("Timeout.orElse", () => {
  it.effect("continues with the fallback once the work has ended", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const exit = yield* settle(
        Effect.never.pipe(
          Effect.ensuring(
            Effect.andThen(
              Effect.sleep("1 second"),
              Effect.sync(() => log.push("work ended"))
            )
          ),
          Timeout.orElse(
            "2 seconds",
            (error) => {
              log.push(error.message)
              return Effect.succeed("fallback")
            },
            { operation: "charge" }
          )
        )
      )
      assert.deepStrictEqual(exit, Exit.succeed("fallback"))
      assert.deepStrictEqual(log, ["work ended", 'Operation "charge" timed out after 2s'])
    })
  )

  it.effect("is written data-first and data-last", () =>
    Effect.gen(function* () {
      const f = (error: Timeout.TimeoutExceededError) => Effect.fail(`too slow: ${error.operation}`)
      const variants = [
        Timeout.orElse(Effect.never, "1 second", f, { operation: "charge" }),
        Timeout.orElse(Effect.never, { after: "1 second", operation: "charge" }, f),
        Effect.never.pipe(Timeout.orElse("1 second", f, { operation: "charge" })),
        Effect.never.pipe(Timeout.orElse({ after: "1 second", operation: "charge" }, f))
      ]
      for (const variant of variants) {
        assert.deepStrictEqual(yield* settle(variant), Exit.fail("too slow: charge"))
      }
    })
  )

  it.effect("passes the errors and defects of the work through", () =>
    Effect.gen(function* () {
      const withFallback = Timeout.orElse("2 seconds", () => Effect.succeed("fallback"))
      assert.deepStrictEqual(yield* Effect.exit(withFallback(Effect.fail("no"))), Exit.fail("no"))
      assert.deepStrictEqual(yield* Effect.exit(withFallback(Effect.die("bug"))), Exit.die("bug"))
    })
  )

  it.effect("does not run the fallback when the work ends with a defect", () =>
    Effect.gen(function* () {
      let ran = 0
      const exit = yield* settle(
        Effect.never.pipe(
          Effect.ensuring(Effect.die("leak")),
          Timeout.orElse("2 seconds", () => Effect.sync(() => ran++))
        )
      )
      assert.deepStrictEqual(exit, Exit.die("leak"))
      assert.strictEqual(ran, 0)
    })
  )

  it.effect("takes a fallback that throws as a defect", () =>
    Effect.gen(function* () {
      const exit = yield* settle(
        Effect.never.pipe(
          Timeout.orElse("2 seconds", (): Effect.Effect<never> => {
            throw "bug"
          })
        )
      )
      assert.deepStrictEqual(exit, Exit.die("bug"))
    })
  )

  it.effect("lets the fallback be interrupted", () =>
    Effect.gen(function* () {
      let ended = 0
      const fallback = Effect.ensuring(
        Effect.never,
        Effect.sync(() => ended++)
      )
      const fiber = yield* Effect.never.pipe(
        Timeout.orElse("2 seconds", () => fallback),
        Effect.forkChild({ startImmediately: true })
      )
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(ended, 1)
      const exit = yield* Fiber.await(fiber)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
    })
  )
})

describe("Timeout.orElseSucceed", () => {
  for (const value of [0, "", [], null, undefined, false, Number.NaN]) {
    it.effect(`${JSON.stringify(value)} is a default`, () =>
      Effect.gen(function* () {
        const last = yield* settle(Effect.never.pipe(Timeout.orElseSucceed("2 seconds", () => value)))
        assert.deepStrictEqual(last, Exit.succeed(value))
        const first = yield* settle(Timeout.orElseSucceed(Effect.never, "2 seconds", () => value))
        assert.deepStrictEqual(first, Exit.succeed(value))
      })
    )
  }

  it.effect("hands the error to the function, and takes what it throws as a defect", () =>
    Effect.gen(function* () {
      const named = yield* settle(
        Effect.never.pipe(Timeout.orElseSucceed("2 seconds", (error) => error.operation, { operation: "charge" }))
      )
      assert.deepStrictEqual(named, Exit.succeed("charge"))
      const thrown = yield* settle(
        Effect.never.pipe(
          Timeout.orElseSucceed("2 seconds", () => {
            throw "bug"
          })
        )
      )
      assert.deepStrictEqual(thrown, Exit.die("bug"))
    })
  )
})

describe("examples", () => {
  it.effect("as a wrapper, with a fallback, and once with a default value", () =>
    Effect.gen(function* () {
      const slow = <A>(value: A) => Effect.delay(Effect.succeed(value), "5 seconds")
      const limited = <A, E, R>(self: Effect.Effect<A, E, R>) => Timeout.timeout(self, "3 seconds")
      assert.deepStrictEqual(yield* settle(limited(slow("answer"))), Exit.fail(exceeded("3 seconds")))
      assert.deepStrictEqual(yield* settle(limited(Effect.succeed("answer"))), Exit.succeed("answer"))
      const withFallback = Timeout.orElse("3 seconds", () => Effect.succeed("cached"))
      assert.deepStrictEqual(yield* settle(withFallback(slow("answer"))), Exit.succeed("cached"))
      assert.deepStrictEqual(
        yield* settle(Timeout.orElseSucceed(slow<string | null>("answer"), "3 seconds", () => null)),
        Exit.succeed(null)
      )
    })
  )

  it.effect("a TimeoutExceededError is caught by its tag", () =>
    Effect.gen(function* () {
      const exit = yield* settle(
        Effect.never.pipe(
          Timeout.timeout("2 seconds", { operation: "charge" }),
          Effect.catchTag("TimeoutExceededError", (error) => Effect.succeed(error.operation))
        )
      )
      assert.deepStrictEqual(exit, Exit.succeed("charge"))
    })
  )
})
