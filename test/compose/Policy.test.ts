import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Deferred, Duration, Effect, Exit, Fiber, Layer, Ref, Schedule, Schema } from "effect"
import { TestClock } from "effect/testing"
import * as Backoff from "../../src/policies/Backoff.ts"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as Fallback from "../../src/policies/Fallback.ts"
import * as Policy from "../../src/compose/Policy.ts"
import * as Retry from "../../src/policies/Retry.ts"
import * as Timeout from "../../src/policies/Timeout.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import {
  Unavailable,
  NotFound,
  everySecond,
  makeBreaker,
  dependency,
  hangs,
  fails,
  settle,
  errorOf,
  now
} from "./calls.ts"

describe("the canonical order", () => {
  it("is fallback, deadline, retry, circuit breaker, attempt timeout, whatever the order of the slots", () => {
    const breaker = CircuitBreaker.makeUnsafe("api")
    const policy = Policy.make({
      attemptTimeout: "1 second",
      breaker,
      retry: {},
      deadline: "10 seconds",
      fallback: () => Effect.void
    })
    assert.deepStrictEqual(
      policy.layers.map(({ kind }) => kind),
      ["fallback", "deadline", "retry", "circuit breaker", "attempt timeout"]
    )
  })

  it.effect("all on one call: a fallback, a deadline, a retry, a breaker and a timeout", () =>
    Effect.gen(function* () {
      const breaker = yield* makeBreaker({ trip: TripPolicy.consecutive(4), openFor: "1 minute" })
      const { call, calls } = dependency((n) =>
        n === 1 ? Effect.never : n === 3 ? Effect.succeed("answer") : Effect.fail(new Unavailable({}))
      )
      const resilient = call.pipe(
        Policy.make({
          fallback: (error) => Effect.succeed(error instanceof CircuitBreaker.CircuitOpenError ? "refused" : "cached"),
          deadline: "30 seconds",
          retry: { maxAttempts: 3, backoff: everySecond },
          breaker,
          attemptTimeout: "2 seconds"
        })
      )
      // A timeout, an error, an answer.
      assert.deepStrictEqual(yield* settle(resilient), Exit.succeed("answer"))
      assert.strictEqual(calls(), 3)
      // Three errors in a row, and the next one opens the circuit.
      assert.deepStrictEqual(yield* settle(resilient), Exit.succeed("cached"))
      assert.deepStrictEqual(yield* settle(resilient), Exit.succeed("refused"))
      assert.strictEqual(calls(), 7)
      assert.strictEqual((yield* breaker.status).state._tag, "Open")
      // Fails fast.
      assert.deepStrictEqual(yield* Effect.exit(resilient), Exit.succeed("refused"))
      assert.strictEqual(calls(), 7)
    })
  )

  it.effect("each attempt has its own timeout", () =>
    Effect.gen(function* () {
      const { call, log } = hangs()
      const policy = Policy.make({ retry: { backoff: everySecond }, attemptTimeout: "2 seconds" })
      const error = errorOf(yield* settle(call.pipe(policy)))
      assert.instanceOf(error, Timeout.TimeoutExceededError)
      assert.deepStrictEqual(log, [
        "0 call 1",
        "2000 interrupt 1",
        "3000 call 2",
        "5000 interrupt 2",
        "6000 call 3",
        "8000 interrupt 3"
      ])
    })
  )

  it.effect("the breaker sees each attempt, and timeouts among them", () =>
    Effect.gen(function* () {
      const breaker = yield* makeBreaker({ trip: TripPolicy.consecutive(100) })
      const { call } = dependency((n) => (n === 2 ? Effect.never : Effect.fail(new Unavailable({}))))
      const policy = Policy.make({
        retry: { maxAttempts: 4, backoff: everySecond },
        breaker,
        attemptTimeout: "1 second"
      })
      yield* settle(call.pipe(policy))
      const { counts, recent } = yield* breaker.status
      assert.deepInclude(counts, { calls: 4, failures: 4, ignored: 0 })
      assert.deepStrictEqual(recent, ["Failure", "Failure", "Failure", "Failure"])
    })
  )

  it.effect("a retry around a breaker does not retry the breaker's own refusal", () =>
    Effect.gen(function* () {
      const breaker = yield* makeBreaker({ trip: TripPolicy.consecutive(2), openFor: "1 minute" })
      const { call, log } = fails()
      const seen: Array<unknown> = []
      const policy = Policy.make({
        retry: {
          maxAttempts: 10,
          backoff: everySecond,
          while: (error) => {
            seen.push(error)
            return true
          }
        },
        breaker
      })
      const fiber = yield* Effect.forkChild(Effect.exit(call.pipe(policy)), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* TestClock.adjust("1 second")
      const error = errorOf(yield* Fiber.join(fiber))
      // The second attempt opens the circuit, and the refusal of the third ends the retry at once.
      assert.instanceOf(error, CircuitBreaker.CircuitOpenError)
      assert.deepStrictEqual(log, ["0 call 1", "1000 call 2"])
      assert.strictEqual(yield* now, 2000)
      assert.isFalse(seen.some((each) => each instanceof CircuitBreaker.CircuitOpenError))
    })
  )

  it.effect("retries refusals where the retry is asked to, after the time that they say", () =>
    Effect.gen(function* () {
      const breaker = yield* makeBreaker({ trip: TripPolicy.consecutive(1), openFor: "10 seconds" })
      const { call, log } = dependency((n) => (n === 1 ? Effect.fail(new Unavailable({})) : Effect.succeed("back")))
      const policy = Policy.make({ retry: { maxAttempts: 3, backoff: everySecond, retryRefusals: true }, breaker })
      assert.deepStrictEqual(yield* settle(call.pipe(policy)), Exit.succeed("back"))
      assert.deepStrictEqual(log, ["0 call 1", "10000 call 2"])
    })
  )

  it.effect("the deadline bounds all attempts, and interrupts the one that runs", () =>
    Effect.gen(function* () {
      const { call, log } = hangs()
      const policy = Policy.make({
        deadline: "5 seconds",
        retry: { maxAttempts: 10, backoff: everySecond },
        attemptTimeout: "3 seconds"
      })
      const error = errorOf(yield* settle(call.pipe(policy)))
      assert.instanceOf(error, Timeout.TimeoutExceededError)
      assert.deepStrictEqual(error.after, Duration.seconds(5))
      assert.strictEqual(yield* now, 5000)
      assert.deepStrictEqual(log, ["0 call 1", "3000 interrupt 1", "4000 call 2", "5000 interrupt 2"])
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(log.length, 4)
    })
  )

  it.effect("the deadline bounds the waits between attempts", () =>
    Effect.gen(function* () {
      const { call, log } = fails()
      const policy = Policy.make({
        deadline: "5 seconds",
        retry: { maxAttempts: 10, backoff: Backoff.constant("3 seconds") }
      })
      assert.instanceOf(errorOf(yield* settle(call.pipe(policy))), Timeout.TimeoutExceededError)
      assert.strictEqual(yield* now, 5000)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(log, ["0 call 1", "3000 call 2"])
    })
  )

  it.effect("the fallback answers exhaustion, timeouts, deadlines and refusals", () =>
    Effect.gen(function* () {
      const breaker = yield* makeBreaker()
      const answered: Array<unknown> = []
      const fallback = (error: unknown) => Effect.sync(() => answered.push(error))
      const retry = { maxAttempts: 2, backoff: everySecond }
      yield* settle(fails().call.pipe(Policy.make({ fallback, retry })))
      yield* settle(hangs().call.pipe(Policy.make({ fallback, retry, attemptTimeout: "1 second" })))
      yield* settle(hangs().call.pipe(Policy.make({ fallback, retry, deadline: "4 seconds" })))
      yield* CircuitBreaker.holdOpen(breaker)
      yield* settle(hangs().call.pipe(Policy.make({ fallback, retry, breaker })))
      assert.deepStrictEqual(
        answered.map((error) => (error as { readonly _tag: string })._tag),
        ["Unavailable", "TimeoutExceededError", "TimeoutExceededError", "CircuitOpenError"]
      )
      assert.deepStrictEqual(answered[0], new Unavailable({ call: 2 }))
    })
  )

  it.effect("the fallback itself is neither retried nor timed nor guarded", () =>
    Effect.gen(function* () {
      const breaker = yield* makeBreaker({ trip: TripPolicy.consecutive(1) })
      let answers = 0
      const fallback = () =>
        Effect.andThen(
          Effect.sleep("20 seconds"),
          Effect.suspend(() => {
            answers++
            return Effect.fail(new NotFound())
          })
        )
      const policy = Policy.make({ fallback, deadline: "1 second", retry: { backoff: everySecond }, breaker })
      yield* CircuitBreaker.holdOpen(breaker)
      assert.instanceOf(errorOf(yield* settle(Effect.void.pipe(policy))), NotFound)
      assert.deepStrictEqual([answers, yield* now], [1, 20_000])
    })
  )

  it.effect("neither defects nor interruption reach the fallback", () =>
    Effect.gen(function* () {
      let answers = 0
      const policy = Policy.make({
        fallback: () => Effect.sync(() => ++answers),
        retry: {},
        attemptTimeout: "1 second"
      })
      const died = yield* Effect.exit(Effect.die("defect").pipe(policy))
      assert.isTrue(Exit.isFailure(died) && Cause.hasDies(died.cause))
      const interrupted = yield* Effect.exit(Effect.interrupt.pipe(policy))
      assert.isTrue(Exit.hasInterrupts(interrupted))
      assert.strictEqual(answers, 0)
    })
  )

  it.effect("a fallback that tries sources in sequence until one succeeds, or a default", () =>
    Effect.gen(function* () {
      const policy = Policy.make({
        fallback: () =>
          Fallback.chain(
            [Fallback.source("backup", Effect.fail("down")), Fallback.source("cache", Effect.fail("empty"))],
            { default: () => null }
          ),
        retry: { maxAttempts: 2, backoff: everySecond }
      })
      assert.deepStrictEqual(yield* settle(fails().call.pipe(policy)), Exit.succeed(null))
    })
  )

  it.effect("CircuitOpenError and TimeoutExceededError are caught apart or together", () =>
    Effect.gen(function* () {
      const breaker = yield* makeBreaker()
      const policy = Policy.make({ deadline: "1 second", breaker })
      const apart = (effect: Effect.Effect<string>) =>
        effect.pipe(
          policy,
          Effect.catchTag("CircuitOpenError", ({ breaker }) => Effect.succeed(`${breaker} is open`)),
          Effect.catchTag("TimeoutExceededError", ({ after }) => Effect.succeed(Duration.format(after)))
        )
      const together = (effect: Effect.Effect<string>) =>
        effect.pipe(
          policy,
          Effect.catchTag(["CircuitOpenError", "TimeoutExceededError"], ({ _tag }) => Effect.succeed(_tag))
        )
      assert.deepStrictEqual(yield* settle(apart(Effect.never)), Exit.succeed("1s"))
      assert.deepStrictEqual(yield* settle(together(Effect.never)), Exit.succeed("TimeoutExceededError"))
      yield* CircuitBreaker.holdOpen(breaker)
      assert.deepStrictEqual(yield* Effect.exit(apart(Effect.never)), Exit.succeed("api is open"))
      assert.deepStrictEqual(yield* Effect.exit(together(Effect.never)), Exit.succeed("CircuitOpenError"))
    })
  )
})

describe("slots", () => {
  it.effect("a fallback answers the errors that it names", () =>
    Effect.gen(function* () {
      const policy = Policy.make({
        fallback: { orElse: () => Effect.succeed("cached"), if: ["Unavailable", "TimeoutExceededError"] },
        deadline: "1 second"
      })
      assert.deepStrictEqual(yield* settle(fails().call.pipe(policy)), Exit.succeed("cached"))
      assert.deepStrictEqual(yield* settle(hangs().call.pipe(policy)), Exit.succeed("cached"))
      assert.instanceOf(yield* Effect.flip(Effect.fail(new NotFound()).pipe(policy)), NotFound)
    })
  )

  it.effect("a breaker can be a value, a class, or either with options", () =>
    Effect.gen(function* () {
      class Payments extends CircuitBreaker.Service<Payments>()("payments", {
        trip: TripPolicy.consecutive(1),
        log: false
      }) {}
      const breaker = yield* makeBreaker({ trip: TripPolicy.consecutive(1) })
      const failing = Effect.fail(new Unavailable({}))
      const program = Effect.gen(function* () {
        for (const policy of [
          Policy.make({ breaker: { source: breaker, ignore: "Unavailable" } }),
          Policy.make({ breaker: { source: breaker, key: "a" } }),
          Policy.make({ breaker: { source: Payments, key: "a" } })
        ]) {
          yield* Effect.flip(failing.pipe(policy))
        }
        const closed = [yield* breaker.status, yield* CircuitBreaker.status(Payments)]
        const open = [yield* breaker.statusOf("a"), yield* CircuitBreaker.status(Payments, { key: "a" })]
        assert.deepStrictEqual(
          [...closed, ...open].map(({ state }) => state._tag),
          ["Closed", "Closed", "Open", "Open"]
        )
        yield* Effect.flip(failing.pipe(Policy.make({ breaker })))
        yield* Effect.flip(failing.pipe(Policy.make({ breaker: Payments })))
        assert.strictEqual((yield* breaker.status).state._tag, "Open")
        assert.strictEqual((yield* CircuitBreaker.status(Payments)).state._tag, "Open")
      })
      yield* Effect.provide(program, Payments.layer)
    })
  )

  it.effect("a retry can have a schedule with errors and services, and an onRetry with services", () =>
    Effect.gen(function* () {
      class Pace extends Context.Service<Pace, { readonly millis: number }>()("Pace") {}
      class Log extends Context.Service<Log, Ref.Ref<ReadonlyArray<string>>>()("Log") {}
      const backoff = Schedule.spaced("1 millis").pipe(
        Schedule.modifyDelay(({ attempt }) =>
          attempt < 3
            ? Effect.map(Pace, ({ millis }) => Duration.millis(millis))
            : Effect.fail(new Unavailable({ call: -1 }))
        )
      )
      const policy = Policy.make({
        retry: {
          maxAttempts: 10,
          backoff,
          onRetry: ({ attempt }) => Effect.flatMap(Log, (log) => Ref.update(log, (lines) => [...lines, `${attempt}`]))
        }
      })
      const lines = yield* Ref.make<ReadonlyArray<string>>([])
      const { call, log } = fails()
      const exit = yield* settle(
        call.pipe(policy, Effect.provideService(Pace, { millis: 2000 }), Effect.provideService(Log, lines))
      )
      assert.deepStrictEqual(errorOf(exit), new Unavailable({ call: -1 }))
      assert.deepStrictEqual(log, ["0 call 1", "2000 call 2", "4000 call 3"])
      assert.deepStrictEqual(yield* Ref.get(lines), ["1", "2"])
    })
  )

  it.effect("that are undefined do nothing", () =>
    Effect.gen(function* () {
      const policy = Policy.make({
        fallback: undefined,
        deadline: undefined,
        retry: undefined,
        breaker: undefined,
        attemptTimeout: undefined
      })
      assert.deepStrictEqual(policy.layers, [])
      const effect = Effect.fail("untouched")
      assert.strictEqual(policy(effect), effect)
    })
  )

  it.effect("options of a retry serve many policies", () =>
    Effect.gen(function* () {
      const shared: Retry.Options = { maxAttempts: 2, backoff: everySecond }
      const decoded = Schema.decodeUnknownSync(Retry.Config)({
        maxAttempts: 2,
        backoff: { type: "constant", delay: "1 second" }
      })
      for (const retry of [shared, decoded]) {
        const one = Policy.make({ retry, attemptTimeout: "1 second" })
        const other = Policy.make({ retry, deadline: "10 seconds" })
        const [first, second] = [hangs(), fails()]
        yield* settle(first.call.pipe(one))
        yield* settle(second.call.pipe(other))
        assert.deepStrictEqual([first.calls(), second.calls()], [2, 2])
      }
    })
  )
})

describe("a policy", () => {
  it.effect("holds no state: each use has its own attempts and its own time", () =>
    Effect.gen(function* () {
      const policy = Policy.make({
        deadline: "10 seconds",
        retry: { maxAttempts: 3, backoff: Backoff.linear({ initial: "1 second", jitter: "none" }) },
        attemptTimeout: "2 seconds"
      })
      const [first, second] = [fails(), hangs()]
      const [one, two] = [first.call.pipe(policy), second.call.pipe(policy)]
      const early = yield* Effect.forkChild(Effect.exit(one), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      const late = yield* Effect.forkChild(Effect.exit(two), { startImmediately: true })
      yield* TestClock.adjust("20 seconds")
      yield* Fiber.join(early)
      yield* Fiber.join(late)
      assert.deepStrictEqual(first.log, ["0 call 1", "1000 call 2", "3000 call 3"])
      assert.deepStrictEqual(second.log, [
        "1000 call 1",
        "3000 interrupt 1",
        "4000 call 2",
        "6000 interrupt 2",
        "8000 call 3",
        "10000 interrupt 3"
      ])
      // The same effect again starts anew.
      yield* settle(one)
      assert.strictEqual(first.calls(), 6)
    })
  )

  it.effect("serves 10 000 fibers at the same time, and loses no permit", () =>
    Effect.gen(function* () {
      const breaker = yield* makeBreaker({ trip: TripPolicy.failures({ count: 4000, of: 4000 }), log: false })
      const policy = Policy.make({
        fallback: { orElse: () => Effect.succeed("fallback"), if: ["Unavailable", "TimeoutExceededError"] },
        deadline: "1 minute",
        retry: { maxAttempts: 2, backoff: everySecond },
        breaker,
        attemptTimeout: "5 seconds"
      })
      const work = (i: number): Effect.Effect<string, Unavailable> => {
        const kinds = [Effect.succeed("value"), Effect.as(Effect.sleep("2 seconds"), "later"), Effect.never]
        return kinds[i % 4] ?? Effect.fail(new Unavailable({}))
      }
      const fibers = yield* Effect.forEach(
        Array.from({ length: 10_000 }, (_, i) => i),
        (i) => Effect.forkChild(work(i).pipe(policy), { startImmediately: true })
      )
      yield* TestClock.adjust("3 seconds")
      // Some callers go away while they wait.
      yield* Fiber.interruptAll(fibers.filter((_, i) => i % 10 === 2))
      yield* TestClock.adjust("30 seconds")
      const exits = yield* Effect.forEach(fibers, Fiber.await)
      const tally: Record<string, number> = {}
      for (const exit of exits) {
        const result = Exit.isSuccess(exit) ? exit.value : Exit.hasInterrupts(exit) ? "interrupted" : "failed"
        tally[result] = (tally[result] ?? 0) + 1
      }
      assert.deepStrictEqual(tally, { value: 2500, later: 2500, interrupted: 500, fallback: 4500 })
      const { counts, inFlight } = yield* breaker.status
      assert.strictEqual(inFlight, 0)
      assert.strictEqual(counts.successes, 5000)
      assert.strictEqual(counts.successes + counts.failures + counts.ignored, counts.calls)
    })
  )

  it("is a policy, and a plain function is none", () => {
    assert.strictEqual(Policy.make({})[Policy.TypeId], "~effect-resilience/Policy")
    assert.isTrue(Policy.isPolicy(Policy.identity))
    assert.isTrue(Policy.isPolicy(Policy.make({ deadline: 1 })))
    for (const value of [undefined, null, 1, "policy", {}, () => Effect.void, Timeout.timeout(1), Effect.void]) {
      assert.isFalse(Policy.isPolicy(value))
    }
  })

  it("identity returns the effect itself", () => {
    const effect = Effect.succeed(1)
    assert.strictEqual(Policy.identity(effect), effect)
    assert.deepStrictEqual(Policy.identity.layers, [])
  })
})

describe("layers", () => {
  it.effect("provide the breaker of a class to many policies", () =>
    Effect.gen(function* () {
      class Payments extends CircuitBreaker.Service<Payments>()("payments", {
        trip: TripPolicy.consecutive(2),
        log: false
      }) {}
      const charge = Policy.make({ breaker: Payments, attemptTimeout: "1 second" })
      const refund = Policy.make({ breaker: Payments, attemptTimeout: "5 seconds" })
      const program = Effect.gen(function* () {
        yield* settle(Effect.never.pipe(charge))
        yield* settle(Effect.fail("x").pipe(refund))
        return errorOf(yield* Effect.exit(Effect.void.pipe(charge)))
      })
      assert.instanceOf(yield* Effect.provide(program, Layer.fresh(Payments.layer)), CircuitBreaker.CircuitOpenError)
    })
  )

  it.effect("a fiber that waits for a value of another is timed too", () =>
    Effect.gen(function* () {
      const deferred = yield* Deferred.make<string>()
      const policy = Policy.make({ attemptTimeout: "1 second", retry: { maxAttempts: 2, backoff: everySecond } })
      const fiber = yield* Effect.forkChild(Deferred.await(deferred).pipe(policy), { startImmediately: true })
      yield* TestClock.adjust("2500 millis")
      yield* Deferred.succeed(deferred, "in the second attempt")
      assert.strictEqual(yield* Fiber.join(fiber), "in the second attempt")
    })
  )
})
