import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Config,
  ConfigProvider,
  Context,
  Data,
  Deferred,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Ref,
  Schedule,
  Schema,
  Scope
} from "effect"
import { TestClock } from "effect/testing"
import * as Backoff from "../../src/policies/Backoff.ts"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as CircuitBreakers from "../../src/breaker/CircuitBreakers.ts"
import * as Fallback from "../../src/policies/Fallback.ts"
import * as Options from "../../src/core/Options.ts"
import * as Policy from "../../src/compose/Policy.ts"
import * as Retry from "../../src/policies/Retry.ts"
import * as Timeout from "../../src/policies/Timeout.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import { invalid } from "../support/circuits.ts"

class Unavailable extends Data.TaggedError("Unavailable")<{ readonly call?: number }> {}
class NotFound extends Data.TaggedError("NotFound") {}

const everySecond = Backoff.constant("1 second")

const makeBreaker = (options?: CircuitBreaker.Options) => CircuitBreaker.make("api", { log: false, ...options })

/** A dependency that can be told what to answer, and remembers when it was called and interrupted. */
const dependency = (answer: (call: number) => Effect.Effect<string, Unavailable | NotFound>) => {
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

const hangs = () => dependency(() => Effect.never)
const fails = () => dependency((call) => Effect.fail(new Unavailable({ call })))

/** Runs an effect to its end in steps of 500 millis, at most 30 seconds. */
const settle = Effect.fnUntraced(function* <A, E, R>(effect: Effect.Effect<A, E, R>) {
  const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
  for (let i = 0; i < 60 && fiber.pollUnsafe() === undefined; i++) yield* TestClock.adjust("500 millis")
  return fiber.pollUnsafe() ?? assert.fail("the effect did not end")
})

const errorOf = (exit: Exit.Exit<unknown, unknown>): unknown => {
  const error = Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isFailReason)?.error : undefined
  return error ?? assert.fail(`no error: ${String(exit)}`)
}

const now = Effect.clockWith((clock) => Effect.sync(() => clock.currentTimeMillisUnsafe()))

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

  it.effect("P0 the four stacked on one call, with a timeout", () =>
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

  it.effect("P3 retry around a breaker that does not retry the breaker's own refusal", () =>
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

  it.effect("P0 fallback object: functions in sequence until one succeeds, or a default, around the stack", () =>
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

  it.effect("P0 CircuitOpenError and TimeoutError caught apart or together", () =>
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

  it.effect("P3 RetryConfig shared by many functions", () =>
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

describe("interruption of the caller", () => {
  const full = (breaker: CircuitBreaker.CircuitBreaker) =>
    Policy.make({
      fallback: () => Effect.die("the fallback ran"),
      deadline: "1 minute",
      retry: { maxAttempts: 10, backoff: Backoff.constant("5 seconds") },
      breaker,
      attemptTimeout: "10 seconds"
    })

  it.effect("interrupts the attempt, and awaits its finalizers", () =>
    Effect.gen(function* () {
      const breaker = yield* makeBreaker()
      const events: Array<string> = []
      const call = Effect.onInterrupt(Effect.never, () =>
        Effect.andThen(
          Effect.sleep("3 seconds"),
          Effect.sync(() => events.push("finalized"))
        )
      )
      const fiber = yield* Effect.forkChild(call.pipe(full(breaker)), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* breaker.status).inFlight, 1)
      const interruption = yield* Effect.forkChild(
        Effect.andThen(
          Fiber.interrupt(fiber),
          Effect.sync(() => events.push("interrupted"))
        ),
        { startImmediately: true }
      )
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(events, [])
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(interruption)
      assert.deepStrictEqual(events, ["finalized", "interrupted"])
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
      const { counts, inFlight } = yield* breaker.status
      assert.deepStrictEqual([inFlight, counts.ignored, counts.failures], [0, 1, 0])
    })
  )

  it.effect("interrupts a retry that waits", () =>
    Effect.gen(function* () {
      const breaker = yield* makeBreaker()
      const { call, calls } = fails()
      const fiber = yield* Effect.forkChild(call.pipe(full(breaker)), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(calls(), 1)
      assert.strictEqual((yield* breaker.status).inFlight, 0)
    })
  )

  it.effect("interrupts a fallback that runs", () =>
    Effect.gen(function* () {
      let interrupted = 0
      const policy = Policy.make({
        fallback: () =>
          Effect.onInterrupt(Effect.never, () =>
            Effect.sync(() => {
              interrupted++
            })
          ),
        retry: { maxAttempts: 1 }
      })
      const fiber = yield* Effect.forkChild(fails().call.pipe(policy), { startImmediately: true })
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(interrupted, 1)
    })
  )

  it.effect("gives the permit of a probe back", () =>
    Effect.gen(function* () {
      const breaker = yield* makeBreaker({ trip: TripPolicy.consecutive(1), openFor: "5 seconds" })
      yield* Effect.exit(Effect.fail("x").pipe(Policy.make({ breaker })))
      yield* TestClock.adjust("5 seconds")
      const probe = yield* Effect.forkChild(Effect.never.pipe(full(breaker)), { startImmediately: true })
      assert.deepInclude((yield* breaker.status).state, { _tag: "HalfOpen" })
      yield* Fiber.interrupt(probe)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Effect.succeed("back").pipe(full(breaker)), "back")
      assert.strictEqual((yield* breaker.status).state._tag, "Closed")
    })
  )
})

describe("deadline and finalizers", () => {
  it.effect("the finalizers of the attempt end before the fallback answers", () =>
    Effect.gen(function* () {
      const events: Array<string> = []
      const call = Effect.onInterrupt(Effect.never, () =>
        Effect.andThen(
          Effect.sleep("2 seconds"),
          Effect.sync(() => events.push("finalized"))
        )
      )
      const policy = Policy.make({
        fallback: () => Effect.sync(() => events.push("answered")),
        deadline: "3 seconds",
        retry: {}
      })
      yield* settle(call.pipe(policy))
      assert.deepStrictEqual(events, ["finalized", "answered"])
      assert.strictEqual(yield* now, 5000)
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

describe("compose", () => {
  const kinds = (policy: Policy.Any) => policy.layers.map(({ kind }) => kind)

  it("puts the first outermost", () => {
    const breaker = CircuitBreaker.makeUnsafe("api")
    const policy = Policy.compose(
      Policy.circuitBreaker(breaker),
      Policy.retry(),
      Policy.timeout("1 second"),
      Policy.fallback(() => Effect.void)
    )
    assert.deepStrictEqual(kinds(policy), ["circuit breaker", "retry", "timeout", "fallback"])
  })

  it("of none is identity, and of one does what that does", () => {
    const effect = Effect.succeed(1)
    assert.strictEqual(Policy.compose()(effect), effect)
    const policy = Policy.make({ deadline: "1 second", retry: {} })
    assert.deepStrictEqual(Policy.compose(policy).layers, policy.layers)
    assert.deepStrictEqual(kinds(Policy.compose(Policy.identity, policy, Policy.identity)), ["deadline", "retry"])
  })

  it("is associative", () => {
    const [a, b, c] = [Policy.retry(), Policy.timeout("1 second"), Policy.fallback(() => Effect.void)]
    const expected = ["retry", "timeout", "fallback"]
    assert.deepStrictEqual(kinds(Policy.compose(a, b, c)), expected)
    assert.deepStrictEqual(kinds(Policy.compose(a, Policy.compose(b, c))), expected)
    assert.deepStrictEqual(kinds(Policy.compose(Policy.compose(a, b), c)), expected)
  })

  it.effect("P4 SafetyNet of several policies", () =>
    Effect.gen(function* () {
      const breaker = yield* makeBreaker({ trip: TripPolicy.consecutive(2), openFor: "1 minute" })
      const safetyNet = Policy.compose(
        Policy.retry({ maxAttempts: 3, backoff: everySecond }),
        Policy.circuitBreaker(breaker)
      )
      const { call, calls } = fails()
      assert.instanceOf(errorOf(yield* settle(call.pipe(safetyNet))), CircuitBreaker.CircuitOpenError)
      assert.deepStrictEqual([calls(), (yield* breaker.status).state._tag], [2, "Open"])
    })
  )

  it.effect("a breaker around a retry sees one outcome for all attempts", () =>
    Effect.gen(function* () {
      const breaker = yield* makeBreaker({ trip: TripPolicy.consecutive(2) })
      const policy = Policy.compose(
        Policy.circuitBreaker(breaker),
        Policy.retry({ maxAttempts: 3, backoff: everySecond })
      )
      const { call, calls } = fails()
      yield* settle(call.pipe(policy))
      assert.deepStrictEqual([calls(), (yield* breaker.status).counts.failures], [3, 1])
    })
  )

  it.effect("a timeout around a retry is for all attempts, and one inside is for each", () =>
    Effect.gen(function* () {
      const retry = Policy.retry({ maxAttempts: 2, backoff: everySecond })
      const timeout = Policy.timeout("3 seconds")
      const [total, each] = [hangs(), hangs()]
      yield* settle(total.call.pipe(Policy.compose(timeout, retry)))
      assert.deepStrictEqual([total.calls(), yield* now], [1, 3000])
      yield* settle(each.call.pipe(Policy.compose(retry, timeout)))
      assert.deepStrictEqual([each.calls(), yield* now], [2, 10_000])
    })
  )

  it.effect("adds a layer around a policy of make", () =>
    Effect.gen(function* () {
      const inner = Policy.make({ retry: { maxAttempts: 2, backoff: everySecond } })
      const policy = Policy.compose(
        Policy.fallback(() => Effect.succeed("cached")),
        inner
      )
      const { call, calls } = fails()
      assert.deepStrictEqual(yield* settle(call.pipe(policy)), Exit.succeed("cached"))
      assert.strictEqual(calls(), 2)
    })
  )

  it.effect("P2 its own stacking order lets the fallback hide every failure, and describe says so", () =>
    Effect.gen(function* () {
      const run = Effect.fnUntraced(function* (
        build: (
          breaker: CircuitBreaker.CircuitBreaker
        ) => Policy.Policy<string, CircuitBreaker.CircuitOpenError | Timeout.TimeoutExceededError, never, unknown, true>
      ) {
        const breaker = yield* makeBreaker({ trip: TripPolicy.consecutive(3), openFor: "1 minute" })
        const policy = build(breaker)
        const { call, calls } = fails()
        for (let i = 0; i < 10; i++) yield* settle(call.pipe(policy))
        const { counts, state } = yield* breaker.status
        return { calls: calls(), failures: counts.failures, state: state._tag, policy }
      })
      const retry = { maxAttempts: 3, backoff: everySecond }
      const cached = () => Effect.succeed("cached")

      const theirs = yield* run((breaker) =>
        Policy.compose(
          Policy.circuitBreaker(breaker),
          Policy.retry(retry),
          Policy.timeout("1 second"),
          Policy.fallback(cached)
        )
      )
      // Ten calls that fail go to the dependency, and nobody notices.
      assert.deepInclude(theirs, { calls: 10, failures: 0, state: "Closed" })
      assert.include(
        Policy.describe(theirs.policy),
        "warning: the fallback inside the retry and the circuit breaker hides every failure from them"
      )

      const ours = yield* run((breaker) =>
        Policy.make({ fallback: cached, retry, breaker, attemptTimeout: "1 second" })
      )
      assert.deepInclude(ours, { calls: 3, failures: 3, state: "Open" })
      assert.notInclude(Policy.describe(ours.policy), "warning")
    })
  )

  describe("refuses the same layer twice", () => {
    const breaker = CircuitBreaker.makeUnsafe("api")
    const other = CircuitBreaker.makeUnsafe("api")
    class Payments extends CircuitBreaker.Service<Payments>()("payments") {}
    const answer = () => Effect.void
    const isA = (error: unknown) => error === "a"
    const spaced = Schedule.spaced(1)
    const timeout = Policy.timeout("1 second")

    const refused: ReadonlyArray<[name: string, kind: string, a: Policy.Any, b: Policy.Any]> = [
      ["a policy", "timeout", timeout, timeout],
      ["equal timeouts", "timeout", timeout, Policy.timeout({ after: 1000 })],
      ["equal deadlines", "deadline", Policy.make({ deadline: 1 }), Policy.make({ deadline: { milliseconds: 1 } })],
      ["retries without options", "retry", Policy.retry(), Policy.retry({})],
      ["equal retries", "retry", Policy.retry({ while: "A" }), Policy.retry({ while: ["A"], maxAttempts: 3 })],
      [
        "retries with equal backoffs",
        "retry",
        Policy.retry({ backoff: Backoff.constant(5) }),
        Policy.retry({ backoff: Backoff.constant(5) })
      ],
      ["retries with one predicate", "retry", Policy.retry({ while: isA }), Policy.retry({ while: isA })],
      ["retries with one schedule", "retry", Policy.retry({ backoff: spaced }), Policy.retry({ backoff: spaced })],
      ["a breaker", "circuit breaker", Policy.circuitBreaker(breaker), Policy.make({ breaker })],
      ["a class", "circuit breaker", Policy.circuitBreaker(Payments), Policy.make({ breaker: { source: Payments } })],
      [
        "a circuit with other options",
        "circuit breaker",
        Policy.circuitBreaker({ source: breaker, key: "a", failureIf: "A" }),
        Policy.circuitBreaker({ source: breaker, key: "a", failureIf: isA })
      ],
      ["a fallback", "fallback", Policy.fallback(answer), Policy.fallback({ orElse: answer, source: "fallback" })]
    ]
    it.each(refused)("%s", (_, kind, a, b) => {
      const compose = () =>
        (Policy.compose as (...policies: ReadonlyArray<Policy.Any>) => unknown)(a, Policy.identity, b)
      assert.deepStrictEqual(invalid(compose), {
        module: "Policy",
        field: "layers.1",
        value: kind,
        rule: "a layer that the policy does not have yet"
      })
    })

    const accepted: ReadonlyArray<[name: string, a: Policy.Any, b: Policy.Any]> = [
      ["two different timeouts", timeout, Policy.timeout("2 seconds")],
      ["timeouts with different operations", timeout, Policy.timeout({ after: "1 second", operation: "b" })],
      ["a timeout and a deadline", timeout, Policy.make({ deadline: "1 second" })],
      ["a deadline and an attempt timeout", Policy.make({ deadline: 1 }), Policy.make({ attemptTimeout: 1 })],
      ["retries with different options", Policy.retry(), Policy.retry({ maxAttempts: 2 })],
      ["retries with different backoffs", Policy.retry(), Policy.retry({ backoff: Backoff.constant(5) })],
      [
        "retries with different predicates",
        Policy.retry({ while: isA }),
        Policy.retry({ while: (error: unknown) => error === "a" })
      ],
      [
        "retries with different schedules",
        Policy.retry({ backoff: spaced }),
        Policy.retry({ backoff: Schedule.spaced(1) })
      ],
      [
        "retries with different functions",
        Policy.retry({ retryAfter: () => undefined }),
        Policy.retry({ retryAfter: () => undefined })
      ],
      [
        "retries with different effects",
        Policy.retry({ onRetry: answer }),
        Policy.retry({ onRetry: () => Effect.void })
      ],
      ["two breakers", Policy.circuitBreaker(breaker), Policy.circuitBreaker(other)],
      [
        "two keys",
        Policy.circuitBreaker({ source: breaker, key: "a" }),
        Policy.circuitBreaker({ source: breaker, key: "b" })
      ],
      [
        "a breaker and a key of it",
        Policy.circuitBreaker(breaker),
        Policy.circuitBreaker({ source: breaker, key: "b" })
      ],
      ["two fallbacks", Policy.fallback(answer), Policy.fallback(() => Effect.void)],
      [
        "a fallback for two tags",
        Policy.fallback({ orElse: answer, if: "A" }),
        Policy.fallback({ orElse: answer, if: "B" })
      ],
      ["identity", Policy.identity, Policy.identity]
    ]
    it.each(accepted)("but not %s", (_, a, b) => {
      const policy = (Policy.compose as (...policies: ReadonlyArray<Policy.Any>) => Policy.Any)(a, b)
      assert.strictEqual(policy.layers.length, a.layers.length + b.layers.length)
    })
  })

  it("refuses what is no policy", () => {
    const compose = Policy.compose as (...policies: ReadonlyArray<unknown>) => unknown
    const rule = { module: "Policy", rule: "a policy" }
    assert.deepStrictEqual(
      invalid(() => compose(undefined)),
      { ...rule, field: "policies.0", value: undefined }
    )
    const plain = (effect: unknown) => effect
    assert.deepStrictEqual(
      invalid(() => compose(Policy.identity, plain)),
      { ...rule, field: "policies.1", value: plain }
    )
  })
})

describe("bad options", () => {
  const breaker = CircuitBreaker.makeUnsafe("api")
  const orElse = () => Effect.void
  const duration = "a finite duration > 0"

  const bad: ReadonlyArray<[slots: Record<string, unknown>, field: string, value: unknown, rule: string]> = [
    ...[0, -1, Number.NaN, Infinity, "soon", "0 seconds", "Infinity", {}, null, true].flatMap((value) =>
      ["deadline", "attemptTimeout"].flatMap((slot): typeof bad => [
        [{ [slot]: value }, slot, value, duration],
        [{ [slot]: { after: value } }, `${slot}.after`, value, duration]
      ])
    ),
    [{ deadline: { after: 1, operation: "" } }, "deadline.operation", "", "a non-empty string"],
    [{ attemptTimeout: { after: 1, operation: " " } }, "attemptTimeout.operation", " ", "a non-empty string"],
    ...[0, -1, 1.5, Number.NaN, "3"].map((value): (typeof bad)[number] => [
      { retry: { maxAttempts: value } },
      "retry.maxAttempts",
      value,
      "an integer >= 1"
    ]),
    [
      { retry: { maxAttempts: Infinity } },
      "retry.maxAttempts",
      Infinity,
      "an integer >= 1, or Infinity together with maxElapsed"
    ],
    [{ retry: { maxElapsed: 0 } }, "retry.maxElapsed", 0, duration],
    [{ retry: { maxRetryAfter: "x" } }, "retry.maxRetryAfter", "x", duration],
    [{ retry: { backoff: "1 second" } }, "retry.backoff", "1 second", "a Schedule"],
    [{ retry: { while: "" } }, "retry.while", "", "a non-empty string"],
    [{ retry: { while: [] } }, "retry.while", [], "a predicate, a tag or a list of at least one tag"],
    [{ retry: { onRetry: 1 } }, "retry.onRetry", 1, "a function"],
    [{ retry: { retryAfter: 1 } }, "retry.retryAfter", 1, "a function"],
    [{ retry: { retryRefusals: "yes" } }, "retry.retryRefusals", "yes", "true or false"],
    ...[3, null, "3"].map((value): (typeof bad)[number] => [{ retry: value }, "retry", value, "an object"]),
    ...[1, null, "payments", { key: "a" }, orElse].map((value): (typeof bad)[number] => [
      { breaker: value },
      "breaker",
      value,
      "a breaker or its class"
    ]),
    [{ breaker: { source: "payments" } }, "breaker.source", "payments", "a breaker or its class"],
    [
      { breaker: { source: breaker, kee: "a" } },
      "breaker.kee",
      "a",
      "absent (the keys are key, classify, failureIf, ignore, retryAfter)"
    ],
    [
      { breaker: { source: breaker, orElse } },
      "breaker.orElse",
      orElse,
      "absent (the keys are key, classify, failureIf, ignore, retryAfter)"
    ],
    [
      { breaker: { source: breaker, ignore: [] } },
      "breaker.ignore",
      [],
      "a predicate, a tag or a list of at least one tag"
    ],
    [
      { breaker: { source: breaker, classify: orElse, failureIf: "A" } },
      "breaker.failureIf",
      "A",
      "absent where classify is given"
    ],
    ...[1, null, "cached"].map((value): (typeof bad)[number] => [{ fallback: value }, "fallback", value, "a function"]),
    [{ fallback: { if: "A" } }, "fallback.orElse", undefined, "a function"],
    [{ fallback: { orElse: 1 } }, "fallback.orElse", 1, "a function"],
    [{ fallback: { orElse, source: "" } }, "fallback.source", "", "a non-empty string"],
    [{ fallback: { orElse, if: "" } }, "fallback.if", "", "a non-empty string"],
    [{ fallback: { orElse, if: [] } }, "fallback.if", [], "a predicate, a tag or a list of at least one tag"],
    [{ fallback: { orElse, defects: true } }, "fallback.defects", true, "absent (the keys are if, source)"],
    [{ timeout: 1 }, "timeout", 1, "absent (the keys are fallback, deadline, retry, breaker, attemptTimeout)"]
  ]

  it.each(bad)("make refuses %o", (slots, field, value, rule) => {
    assert.deepStrictEqual(
      invalid(() => Policy.make(slots as {})),
      { module: "Policy", field, value, rule }
    )
  })

  it("make refuses what is no object", () => {
    for (const value of [undefined, null, 1, "x"]) {
      assert.deepStrictEqual(
        invalid(() => Policy.make(value as unknown as {})),
        { module: "Policy", field: "slots", value, rule: "an object" }
      )
    }
  })

  it("the message says slot, rule and value", () => {
    try {
      Policy.make({ retry: { maxAttempts: 0 } })
      assert.fail("no error was thrown")
    } catch (error) {
      assert.strictEqual((error as Error).message, "Policy: retry.maxAttempts must be an integer >= 1, got 0")
    }
  })

  it("make passes on what an option itself throws", () => {
    const broken = new Error("broken")
    const retry = {
      get maxAttempts(): number {
        throw broken
      }
    }
    assert.throws(() => Policy.make({ retry }), broken)
  })

  it("single policies name the module of the layer", () => {
    const cases: ReadonlyArray<[build: () => unknown, module: string, field: string, value: unknown, rule: string]> = [
      [() => Policy.timeout(0), "Timeout", "after", 0, duration],
      [() => Policy.retry({ maxAttempts: 0 }), "Retry", "maxAttempts", 0, "an integer >= 1"],
      [() => Policy.retry(null as unknown as {}), "Retry", "options", null, "an object"],
      [() => Policy.circuitBreaker("x" as never), "CircuitBreaker", "source", "x", "a breaker or its class"],
      [() => Policy.fallback("x" as never), "Fallback", "orElse", "x", "a function"],
      [
        () => Policy.fallback({ orElse, iff: "A" } as never),
        "Fallback",
        "iff",
        "A",
        "absent (the keys are if, source)"
      ],
      [
        () => Policy.circuitBreaker({ source: breaker, kee: "a" } as never),
        "CircuitBreaker",
        "kee",
        "a",
        "absent (the keys are key, classify, failureIf, ignore, retryAfter)"
      ]
    ]
    for (const [build, module, field, value, rule] of cases) {
      assert.deepStrictEqual(invalid(build), { module, field, value, rule })
    }
  })
})

describe("describe", () => {
  class Payments extends CircuitBreaker.Service<Payments>()("payments") {}

  const full = Policy.make({
    fallback: () => Effect.void,
    deadline: "10 seconds",
    retry: {},
    breaker: Payments,
    attemptTimeout: { after: "2 seconds", operation: "charge" }
  })

  it("says every parameter and default as text", () => {
    assert.deepStrictEqual(Policy.describe(full).split("\n"), [
      "fallback: if=all, defects=false, source=fallback",
      "└─ deadline: after=10000, operation=none",
      "   └─ retry: maxAttempts=3, backoff.type=exponential, backoff.initial=100, backoff.max=60000, " +
        "backoff.factor=2, backoff.jitter=full, maxElapsed=none, while=every error, retryRefusals=false, " +
        "maxRetryAfter=60000, retryAfter=error.retryAfter, onRetry=none",
      `      └─ circuit breaker: ${described(CircuitBreaker.describe(Payments))}`,
      "         └─ attempt timeout: after=2000, operation=charge",
      "            └─ call"
    ])
    assert.strictEqual(Policy.describe(full, "text"), Policy.describe(full))
    assert.strictEqual(Policy.describe(Policy.identity), "call")
  })

  // Independent of the order in which the breaker lists its options.
  const described = (parameters: object, prefix = ""): string =>
    Object.entries(parameters)
      .filter(([, value]) => value !== undefined)
      .flatMap(([name, value]: [string, unknown]) =>
        typeof value === "object" && value !== null
          ? Object.values(value).some((each) => each !== undefined)
            ? [described(value, `${prefix}${name}.`)]
            : []
          : [`${prefix}${name}=${String(value)}`]
      )
      .join(", ")

  it("says the parameters of a breaker", () => {
    const text = Policy.describe(Policy.circuitBreaker({ source: Payments, key: "eu", ignore: "NotFound" }))
    for (const part of [
      "name=payments",
      "trip.type=consecutive",
      "trip.failures=5",
      "openFor=30000",
      "maxOpenFor=3600000",
      "halfOpen.probes=1",
      "dryRun=false",
      "log=true",
      "keys.max=10000",
      "keys.idleFor=3600000",
      "key=eu",
      "outcomes.ignore=NotFound"
    ]) {
      assert.include(text, part)
    }
    const breaker = CircuitBreaker.makeUnsafe("of any", {
      trip: TripPolicy.any(TripPolicy.consecutive(2), TripPolicy.failures({ count: 3, of: 10 }))
    })
    assert.include(
      Policy.describe(Policy.make({ breaker })),
      "name=of any, trip.type=any, trip.policies.0.type=consecutive, trip.policies.0.failures=2, trip.policies.1.type=failures, trip.policies.1.count=3, trip.policies.1.of=10"
    )
  })

  it("is data that JSON holds without loss", () => {
    const policy = Policy.compose(
      full,
      Policy.retry({ maxAttempts: Infinity, maxElapsed: 5, backoff: Schedule.spaced(1), while: ["A", "B"] }),
      Policy.fallback({ orElse: () => Effect.void, if: ["A"], source: "cache" })
    )
    const description = Policy.describe(policy, "json")
    assert.deepStrictEqual(JSON.parse(JSON.stringify(description)), description)
    assert.deepStrictEqual(
      description.layers.map(({ kind }) => kind),
      ["fallback", "deadline", "retry", "circuit breaker", "attempt timeout", "retry", "fallback"]
    )
    assert.deepStrictEqual(description.layers[1], {
      kind: "deadline",
      parameters: { after: 10_000, operation: "none" }
    })
    assert.deepStrictEqual(description.layers[2]?.parameters, { ...Retry.describe() })
    assert.deepInclude(description.layers[5]?.parameters, {
      maxAttempts: "Infinity",
      maxElapsed: 5,
      backoff: "a schedule",
      while: ["A", "B"]
    })
    assert.deepStrictEqual(description.layers[6]?.parameters, { if: ["A"], defects: false, source: "cache" })
    assert.deepStrictEqual(description.layers, policy.layers)
  })

  it("is a Mermaid flowchart", () => {
    const policy = Policy.compose(Policy.timeout("1 second"), Policy.timeout({ after: "2 seconds", operation: "b" }))
    assert.deepStrictEqual(Policy.describe(policy, "mermaid").split("\n"), [
      "flowchart LR",
      '  l0["timeout<br/>after=1000<br/>operation=none"]',
      '  l1["timeout<br/>after=2000<br/>operation=b"]',
      '  l2["call"]',
      "  l0 --> l1",
      "  l1 --> l2",
      '  w0>"warning#58; the timeout is not shorter than the timeout around it, so it never ends first"]',
      "  w0 -.- l1"
    ])
    assert.strictEqual(Policy.describe(Policy.identity, "mermaid"), 'flowchart LR\n  l0["call"]')
  })

  // Parsed by Mermaid 11.12 too, with these names among others.
  const names = [
    'quo"te',
    "<b>bold</b>",
    "`code`",
    "%%{init: {}}%%",
    "#quot;",
    "a; b",
    "style a:b#c;",
    "two\nlines",
    "] --> l0",
    "end",
    "\\",
    "漢字 é 😀",
    "a\u2028b"
  ]

  it.each(names)("escapes a name in Mermaid: %o", (name) => assertFlowchart(name))

  it.prop("every name makes a flowchart", [Schema.String], ([name]) => {
    if (name.trim() !== "") assertFlowchart(name)
  })

  const assertFlowchart = (name: string) => {
    const breaker = CircuitBreaker.makeUnsafe(name)
    const text = Policy.describe(
      Policy.compose(
        Policy.timeout(1),
        Policy.timeout({ after: 1, operation: name }),
        Policy.circuitBreaker({ source: breaker, key: name })
      ),
      "mermaid"
    )
    const [first, ...lines] = text.split("\n")
    assert.strictEqual(first, "flowchart LR")
    const safe =
      /^ {2}(?:l\d+\["(?:<br\/>|#\d+;|[\p{L}\p{N} .,=_/()[\]-])+"\]|w\d+>"(?:#\d+;|[\p{L}\p{N} .,=_/()[\]-])+"\]|l\d+ --> l\d+|w\d+ -\.- l\d+)$/u
    for (const line of lines) assert.match(line, safe)
    // What Mermaid shows is the name, in quotes where it needs some.
    const shown = (lines[2] ?? "").replaceAll(/#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)))
    assert.isTrue(
      shown.includes(`name=${name}<br/>`) || shown.includes(`name=${JSON.stringify(name)}<br/>`),
      `${shown} has not the name ${name}`
    )
  }

  it("quotes what would not read as one value", () => {
    const values: ReadonlyArray<[operation: string, shown: string]> = [
      ["charge", "charge"],
      ["charge an order", "charge an order"],
      ["é/漢:1.2_3-4", "é/漢:1.2_3-4"],
      ["a, b", '"a, b"'],
      ["a b=c", '"a b=c"'],
      [" a", '" a"'],
      ["a  b", '"a  b"'],
      ["a ", '"a "']
    ]
    for (const [operation, shown] of values) {
      assert.include(Policy.describe(Policy.timeout({ after: 1, operation })), `timeout: after=1, operation=${shown}\n`)
    }
    assert.include(Policy.describe(Policy.retry({ while: "A" })), ', while=["A"], ')
  })

  it("keeps a name on its line of text", () => {
    const breaker = CircuitBreaker.makeUnsafe("a\n└─ call, b=c")
    const text = Policy.describe(Policy.make({ breaker }))
    assert.strictEqual(text.split("\n").length, 2)
    assert.include(text, 'name="a\\n└─ call, b=c", ')
  })
})

describe("warnings", () => {
  const breaker = CircuitBreaker.makeUnsafe("api")
  const slow = CircuitBreaker.makeUnsafe("slow", { trip: TripPolicy.slowCalls({ after: "1 second" }) })
  const slowToo = CircuitBreaker.makeUnsafe("slow too", {
    trip: TripPolicy.any(TripPolicy.consecutive(5), TripPolicy.slowCalls({ after: "1 second" }))
  })
  const several = CircuitBreaker.makeUnsafe("several", {
    trip: TripPolicy.any(TripPolicy.consecutive(5), TripPolicy.failures({ count: 3, of: 10 }))
  })
  const fallback = Policy.fallback(() => Effect.void)
  const named = Policy.fallback({ orElse: () => Effect.void, if: "NotFound" })
  const retry = Policy.retry()
  const guard = Policy.circuitBreaker(breaker)
  const timeout = Policy.timeout("1 second")
  const longer = Policy.timeout("2 seconds")

  const compose = Policy.compose as (...policies: ReadonlyArray<Policy.Any>) => Policy.Any
  const warnings = (...policies: ReadonlyArray<Policy.Any>) => Policy.describe(compose(...policies), "json").warnings

  const hidden = (from: string, pronoun = "it") => `the fallback inside the ${from} hides every failure from ${pronoun}`
  const outside =
    "the circuit breaker ignores calls that a timeout outside it interrupts: put a timeout inside, or count slow calls"
  const late = (inner: string, outer: string) =>
    `the ${inner} is not shorter than the ${outer} around it, so it never ends first`

  it("the canonical order has none", () => {
    const slots = {
      fallback: () => Effect.void,
      deadline: "10 seconds",
      retry: {},
      breaker,
      attemptTimeout: "1 second"
    } as const
    const names = Object.keys(slots) as Array<keyof typeof slots>
    for (let subset = 0; subset < 2 ** names.length; subset++) {
      const chosen = Object.fromEntries(
        names.filter((_, i) => (subset & (1 << i)) !== 0).map((name) => [name, slots[name]])
      )
      const { warnings } = Policy.describe(Policy.make(chosen), "json")
      // Without an attempt timeout, nothing tells the breaker that a call hangs.
      const hangs = "deadline" in chosen && "breaker" in chosen && !("attemptTimeout" in chosen)
      assert.deepStrictEqual(warnings, hangs ? [outside] : [], Object.keys(chosen).join(", "))
    }
  })

  it("a fallback inside a retry or a breaker hides failures", () => {
    assert.deepStrictEqual(warnings(retry, fallback), [hidden("retry")])
    assert.deepStrictEqual(warnings(guard, fallback), [hidden("circuit breaker")])
    assert.deepStrictEqual(warnings(retry, guard, fallback), [hidden("retry and the circuit breaker", "them")])
    assert.deepStrictEqual(warnings(fallback, retry, guard), [])
    assert.deepStrictEqual(warnings(timeout, fallback), [])
  })

  it("a fallback that names its errors is meant", () => {
    assert.deepStrictEqual(warnings(retry, guard, named), [])
  })

  it("a retry inside a breaker goes on", () => {
    assert.deepStrictEqual(warnings(guard, retry), [
      "the retry inside the circuit breaker goes on while the dependency fails, and counts as one call"
    ])
    assert.deepStrictEqual(warnings(retry, guard), [])
  })

  it("a retry inside a retry multiplies", () => {
    assert.deepStrictEqual(warnings(retry, Policy.retry({ maxAttempts: 2 })), [
      "the retry inside a retry multiplies the attempts"
    ])
  })

  it("a timeout outside a breaker hides that calls hang, unless one is inside or slow calls count", () => {
    assert.deepStrictEqual(warnings(timeout, guard), [outside])
    assert.deepStrictEqual(warnings(longer, guard, timeout), [])
    assert.deepStrictEqual(warnings(timeout, Policy.circuitBreaker(several)), [outside])
    assert.deepStrictEqual(warnings(timeout, Policy.circuitBreaker(slow)), [])
    assert.deepStrictEqual(warnings(timeout, Policy.circuitBreaker(slowToo)), [])
    assert.deepStrictEqual(warnings(guard, timeout), [])
  })

  it("a timeout that is not shorter than the one around it never ends first", () => {
    assert.deepStrictEqual(warnings(timeout, longer), [late("timeout", "timeout")])
    assert.deepStrictEqual(warnings(longer, timeout), [])
    assert.deepStrictEqual(warnings(Policy.make({ deadline: 10, attemptTimeout: 10 })), [
      late("attempt timeout", "deadline")
    ])
    assert.deepStrictEqual(warnings(Policy.make({ deadline: 10, attemptTimeout: 9 })), [])
    assert.deepStrictEqual(warnings(timeout, Policy.make({ deadline: 2000, attemptTimeout: 1500 })), [
      late("deadline", "timeout"),
      late("attempt timeout", "timeout")
    ])
  })

  it("stand in the text and in the flowchart, at their layer", () => {
    const policy = compose(guard, retry)
    assert.match(Policy.describe(policy).split("\n").at(-1) ?? "", /^warning: the retry inside the circuit breaker/)
    assert.match(Policy.describe(policy, "mermaid"), / {2}w0>"warning#58; the retry inside .*"\]\n {2}w0 -\.- l1$/)
  })
})

describe("Config", () => {
  const decode = Schema.decodeUnknownSync(Policy.Config)
  const json = {
    deadline: "10 seconds",
    retry: { maxAttempts: 4, backoff: { type: "exponential", initial: "100 millis", max: "5 seconds" }, while: "A" },
    breaker: {
      name: "payments",
      options: { trip: { type: "failures", count: 3, of: 10 }, openFor: "20 seconds", halfOpen: { probes: 2 } }
    },
    attemptTimeout: { after: 2000, operation: "charge" }
  }

  it.effect("decodes from JSON to the policy that make makes", () =>
    Effect.gen(function* () {
      const policy = yield* Policy.fromConfig(decode(JSON.parse(JSON.stringify(json))))
      const breaker = yield* CircuitBreaker.make("payments", {
        trip: TripPolicy.failures({ count: 3, of: 10 }),
        openFor: "20 seconds",
        halfOpen: { probes: 2 }
      })
      const expected = Policy.make({
        deadline: "10 seconds",
        retry: {
          maxAttempts: 4,
          backoff: Backoff.exponential({ initial: "100 millis", max: "5 seconds" }),
          while: "A"
        },
        breaker,
        attemptTimeout: { after: "2 seconds", operation: "charge" }
      })
      assert.deepStrictEqual(policy.layers, expected.layers)
    })
  )

  it.effect("of nothing is the policy that changes nothing, and a name is enough for a breaker", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* Policy.fromConfig(decode({}))).layers, [])
      const policy = yield* Policy.fromConfig(decode({ breaker: { name: "payments" } }))
      assert.deepStrictEqual(policy.layers, Policy.make({ breaker: CircuitBreaker.makeUnsafe("payments") }).layers)
    })
  )

  it.effect("encodes to JSON that decodes to the same policy", () =>
    Effect.gen(function* () {
      for (const input of [
        json,
        {},
        { deadline: 5 },
        { attemptTimeout: "1 minute" },
        { retry: { maxAttempts: "Infinity", maxElapsed: "1 minute", maxRetryAfter: 10, retryRefusals: true } },
        { retry: { while: ["A", "B"], backoff: { type: "constant", delay: 5 } } },
        { breaker: { name: "a", options: { failureIf: ["A"], keys: { max: 5 }, log: false } } }
      ]) {
        const config = decode(input)
        const encoded: unknown = JSON.parse(JSON.stringify(Schema.encodeSync(Policy.Config)(config)))
        const [first, second] = yield* Effect.scoped(
          Effect.all([Policy.fromConfig(config), Policy.fromConfig(decode(encoded))])
        )
        assert.deepStrictEqual(second.layers, first.layers)
        assert.deepStrictEqual(Schema.encodeSync(Policy.Config)(decode(encoded)), encoded)
      }
    })
  )

  it.effect("reads the environment like JSON", () =>
    Effect.gen(function* () {
      const read = (env: Record<string, string>) =>
        Config.schema(Policy.Config, "PAYMENTS").parse(Options.constantCase(ConfigProvider.fromEnv({ env })))
      const config = yield* read({
        PAYMENTS_DEADLINE: "10 seconds",
        PAYMENTS_RETRY_MAX_ATTEMPTS: "4",
        PAYMENTS_RETRY_BACKOFF_TYPE: "exponential",
        PAYMENTS_RETRY_BACKOFF_INITIAL: "100 millis",
        PAYMENTS_RETRY_BACKOFF_MAX: "5 seconds",
        PAYMENTS_RETRY_WHILE: "A",
        PAYMENTS_BREAKER_NAME: "payments",
        PAYMENTS_BREAKER_OPTIONS_TRIP_TYPE: "failures",
        PAYMENTS_BREAKER_OPTIONS_TRIP_COUNT: "3",
        PAYMENTS_BREAKER_OPTIONS_TRIP_OF: "10",
        PAYMENTS_BREAKER_OPTIONS_OPEN_FOR: "20 seconds",
        PAYMENTS_BREAKER_OPTIONS_HALF_OPEN_PROBES: "2",
        PAYMENTS_ATTEMPT_TIMEOUT_AFTER: "2000",
        PAYMENTS_ATTEMPT_TIMEOUT_OPERATION: "charge"
      })
      const [fromEnv, fromJson] = yield* Effect.all([Policy.fromConfig(config), Policy.fromConfig(decode(json))])
      assert.deepStrictEqual(fromEnv.layers, fromJson.layers)
      const error = yield* Effect.flip(read({ PAYMENTS_DEADLINE: "0 seconds" }))
      assert.include(String(error), "Policy: deadline must be a finite duration > 0, got 0 millis")
      assert.include(String(error), '["deadline"]')
    })
  )

  const bad: ReadonlyArray<[json: unknown, path: ReadonlyArray<string>, message: string]> = [
    [{ deadlin: 1 }, ["deadlin"], "unknown key, expected one of deadline, retry, breaker, attemptTimeout"],
    [{ fallback: "x" }, ["fallback"], "unknown key, expected one of deadline, retry, breaker, attemptTimeout"],
    [{ deadline: 0 }, ["deadline"], "Policy: deadline must be a finite duration > 0, got 0 millis"],
    [{ attemptTimeout: -1 }, ["attemptTimeout"], "Policy: attemptTimeout must be a finite duration > 0, got -1 millis"],
    [{ deadline: "Infinity" }, ["deadline"], "Policy: deadline must be a finite duration > 0, got Infinity"],
    [{ deadline: "soon" }, ["deadline"], "Expected a valid Duration string"],
    [{ deadline: { after: 0 } }, ["deadline", "after"], "Timeout: after must be a finite duration > 0, got 0 millis"],
    [
      { deadline: { after: 1, operation: "" } },
      ["deadline", "operation"],
      "Timeout: operation must be a non-empty string"
    ],
    [{ deadline: { after: 1, x: 1 } }, ["deadline", "x"], "unknown key, expected one of after, operation"],
    [{ deadline: {} }, ["deadline", "after"], "Missing key"],
    [{ retry: { maxAttempts: 0 } }, ["retry", "maxAttempts"], "Retry: maxAttempts must be an integer >= 1, got 0"],
    [{ retry: { maxAttempt: 1 } }, ["retry", "maxAttempt"], "unknown key"],
    [
      { retry: { backoff: { type: "exponential", initial: -1 } } },
      ["retry", "backoff", "initial"],
      "Backoff: initial must be a finite duration > 0, got -1"
    ],
    [{ retry: { backoff: { type: "x" } } }, ["retry", "backoff", "type"], "Backoff: type must be"],
    [{ breaker: {} }, ["breaker", "name"], "Missing key"],
    [{ breaker: { name: " " } }, ["breaker", "name"], 'Policy: name must be a non-empty string, got " "'],
    [{ breaker: { name: "a", key: "b" } }, ["breaker", "key"], "unknown key, expected one of name, options"],
    [
      { breaker: { name: "a", options: { openFor: 0 } } },
      ["breaker", "options", "openFor"],
      "CircuitBreaker: openFor must be a finite duration > 0, got 0 millis"
    ],
    [
      { breaker: { name: "a", options: { halfOpen: { probes: 1.5 } } } },
      ["breaker", "options", "halfOpen", "probes"],
      "CircuitBreaker: halfOpen.probes must be an integer >= 1, got 1.5"
    ],
    [
      { breaker: { name: "a", options: { trip: { type: "failures", count: 5, of: 3 } } } },
      ["breaker", "options", "trip", "count"],
      "TripPolicy: count must be at most of (3), got 5"
    ],
    [{ breaker: { name: "a", options: { classify: "x" } } }, ["breaker", "options", "classify"], "unknown key"]
  ]

  it.effect.each(bad)("says where %o is wrong", ([input, path, message]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Schema.decodeUnknownEffect(Policy.Config)(input))
      assert.instanceOf(error, Schema.SchemaError)
      assert.include(error.message, message)
      assert.include(error.message, `at ${path.map((key) => `["${key}"]`).join("")}`)
    })
  )

  it.effect("registers its breaker where the registry is in the context, while the scope is open", () =>
    Effect.gen(function* () {
      const names = Effect.map(CircuitBreakers.list, (breakers) => breakers.map(({ name }) => name))
      const scope = yield* Scope.make()
      const config = decode({ breaker: { name: "payments", options: { trip: { type: "consecutive", failures: 1 } } } })
      const policy = yield* Scope.provide(Policy.fromConfig(config), scope)
      assert.deepStrictEqual(yield* names, ["payments"])
      yield* Effect.flip(Effect.fail("x").pipe(policy))
      const registered = yield* CircuitBreakers.get("payments")
      assert.strictEqual((yield* registered.status).state._tag, "Open")
      // The same options under the same name are the same circuit.
      const again = yield* Scope.provide(Policy.fromConfig(config), scope)
      assert.strictEqual((yield* Effect.flip(Effect.void.pipe(again)))._tag, "CircuitOpenError")
      yield* CircuitBreakers.reset("payments")
      yield* Effect.void.pipe(again)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* names, [])
    }).pipe(Effect.provide(CircuitBreakers.layer))
  )

  it.effect("refuses the name of another breaker that has other options", () =>
    Effect.gen(function* () {
      yield* Policy.fromConfig(decode({ breaker: { name: "payments" } }))
      const exit = yield* Effect.exit(
        Policy.fromConfig(decode({ breaker: { name: "payments", options: { openFor: "5 seconds" } } }))
      )
      const defect = Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isDieReason)?.defect : undefined
      assert.instanceOf(defect, CircuitBreakers.BreakerConflictError)
      assert.include(defect.message, "openFor: 30000 | 5000")
    }).pipe(Effect.provide(CircuitBreakers.layer))
  )

  it.effect("needs no registry", () =>
    Effect.gen(function* () {
      const config = decode({ breaker: { name: "payments", options: { trip: { type: "consecutive", failures: 1 } } } })
      const one = yield* Policy.fromConfig(config)
      const other = yield* Policy.fromConfig(config)
      yield* Effect.flip(Effect.fail("x").pipe(one))
      assert.strictEqual((yield* Effect.flip(Effect.void.pipe(one)))._tag, "CircuitOpenError")
      // Without a registry each has its own.
      yield* Effect.void.pipe(other)
    })
  )

  it("fromConfig refuses what was not decoded and is wrong", () => {
    assert.deepStrictEqual(
      invalid(() => Policy.fromConfig({ deadline: Duration.zero })),
      { module: "Policy", field: "deadline", value: Duration.zero, rule: "a finite duration > 0" }
    )
    const both = { breaker: { name: "a" }, retry: { maxAttempts: 0 } }
    assert.deepStrictEqual(
      invalid(() => Policy.fromConfig(both)),
      { module: "Policy", field: "retry.maxAttempts", value: 0, rule: "an integer >= 1" }
    )
    assert.deepStrictEqual(
      invalid(() => Policy.fromConfig({ breaker: { name: "" } })),
      { module: "CircuitBreaker", field: "name", value: "", rule: "a non-empty string" }
    )
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
