import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import {
  Arbitrary,
  Cause,
  Context,
  Data,
  Deferred,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Schedule,
  Schema,
  Scope,
  Stream
} from "effect"
import { HttpClient, HttpClientError, HttpClientResponse } from "effect/http"
import { CircuitBreaker as Theirs } from "effect/persistence"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as CircuitChange from "../../src/breaker/internal/CircuitChange.ts"
import * as CircuitState from "../../src/circuit/CircuitState.ts"
import * as EffectBreaker from "../../src/breaker/EffectBreaker.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"

class Boom extends Data.TaggedError("Boom") {}

/** A breaker of ours as Effect's, which opens at the first failure for 10 seconds. */
const make = (options?: CircuitBreaker.Options) =>
  Effect.gen(function* () {
    const ours = yield* CircuitBreaker.make("api", {
      trip: TripPolicy.consecutive(1),
      openFor: "10 seconds",
      log: false,
      ...options
    })
    return { ours, breaker: yield* EffectBreaker.make(ours) }
  })

const key = "k"

/** The reason of a call that was refused. */
const reasonOf = (exit: Exit.Exit<unknown, unknown>) => {
  const error = Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isFailReason)?.error : undefined
  return error instanceof Theirs.CircuitBreakerError ? error.reason : undefined
}

const tagOf = (breaker: Theirs.CircuitBreaker, of = key) => Effect.map(breaker.state(of), ({ _tag }) => _tag)

/** A call that is under way until it is told how to end. */
const begin = Effect.fnUntraced(function* (breaker: Theirs.CircuitBreaker, of = key) {
  const work = yield* Deferred.make<string, Boom>()
  const fiber = yield* Effect.forkChild(breaker.execute(Deferred.await(work), { key: of }), { startImmediately: true })
  return { work, fiber, exit: () => fiber.pollUnsafe() }
})

it("adds Effect's error, the services of classify and those of a class", () => {
  class Payments extends CircuitBreaker.Service<Payments>()("payments") {}
  class Rules extends Context.Service<Rules, object>()("Rules") {}
  expectTypeOf(EffectBreaker.make(CircuitBreaker.makeUnsafe("api"))).toEqualTypeOf<
    Effect.Effect<Theirs.CircuitBreaker, never, Scope.Scope>
  >()
  expectTypeOf(EffectBreaker.make(Payments)).toEqualTypeOf<
    Effect.Effect<Theirs.CircuitBreaker, never, Payments | Scope.Scope>
  >()
  expectTypeOf(EffectBreaker.layer(Payments)).toEqualTypeOf<Layer.Layer<Theirs.CircuitBreaker, never, Payments>>()
  expectTypeOf<Theirs.CircuitBreaker["execute"]>().toBeCallableWith(Effect.fail(new Boom()), {
    key: "k",
    classify: () => Effect.as(Rules, Theirs.success)
  })
})

describe("execute", () => {
  it.effect("leaves the value, the error, the defect and the interruption of a call as they are", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make({ trip: TripPolicy.consecutive(100) })
      const cause = Cause.combine(Cause.fail(new Boom()), Cause.die("defect"))
      for (const effect of [
        Effect.succeed("value"),
        Effect.succeed(undefined),
        Effect.fail(new Boom()),
        Effect.die("defect"),
        Effect.interrupt,
        Effect.failCause(cause)
      ] as ReadonlyArray<Effect.Effect<string | undefined, Boom>>) {
        const bare = yield* Effect.exit(effect)
        assert.deepStrictEqual(yield* Effect.exit(breaker.execute(effect, { key })), bare)
        assert.deepStrictEqual(yield* Effect.exit(effect.pipe(breaker.execute({ key }))), bare)
        for (const outcome of [Theirs.success, Theirs.ignored, Theirs.failure()]) {
          assert.deepStrictEqual(yield* Effect.exit(breaker.execute(effect, { key, classify: () => outcome })), bare)
          const later = { key, classify: () => Effect.succeed(outcome) }
          assert.deepStrictEqual(yield* Effect.exit(effect.pipe(breaker.execute(later))), bare)
        }
      }
    })
  )

  it.effect("refuses calls with Effect's own error, and does not run them", () =>
    Effect.gen(function* () {
      const { breaker, ours } = yield* make()
      yield* Effect.exit(breaker.execute(Effect.fail(new Boom()), { key }))
      yield* TestClock.adjust("4 seconds")
      let runs = 0
      const call = Effect.sync(() => ++runs)
      const error = yield* Effect.flip(call.pipe(breaker.execute({ key })))
      assert.instanceOf(error, Theirs.CircuitBreakerError)
      assert.deepStrictEqual(error.reason, new Theirs.CircuitOpen({ key, retryAfter: Duration.seconds(6) }))
      const caught = yield* call.pipe(
        breaker.execute({ key }),
        Effect.catchReason("CircuitBreakerError", "CircuitOpen", (reason) => Effect.succeed(reason.key))
      )
      assert.strictEqual(caught, key)
      assert.strictEqual(runs, 0)
      assert.strictEqual((yield* CircuitBreaker.status(ours, { key })).counts.refused, 2)
    })
  )

  it.effect("refuses calls beside the probes of a half-open circuit", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make({ halfOpen: { probes: 2, successes: 2 } })
      yield* Effect.exit(breaker.execute(Effect.fail(new Boom()), { key }))
      yield* TestClock.adjust("10 seconds")
      const first = yield* begin(breaker)
      const second = yield* begin(breaker)
      const third = yield* begin(breaker)
      assert.isUndefined(first.exit())
      assert.isUndefined(second.exit())
      assert.deepStrictEqual(reasonOf(third.exit() ?? Exit.void), new Theirs.CircuitHalfOpen({ key }))
      yield* Deferred.succeed(first.work, "a")
      yield* Deferred.succeed(second.work, "b")
      assert.deepStrictEqual(yield* Fiber.join(second.fiber), "b")
      yield* Fiber.join(first.fiber)
      assert.strictEqual(yield* tagOf(breaker), "Closed")
    })
  )

  it.effect("reads outcomes as the breaker's options say where no classify is given", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make({ failureIf: "Boom" })
      yield* Effect.exit(breaker.execute(Effect.fail("other"), { key }))
      assert.strictEqual(yield* tagOf(breaker), "Closed")
      yield* Effect.exit(breaker.execute(Effect.fail(new Boom()), { key, classify: undefined }))
      assert.strictEqual(yield* tagOf(breaker), "Open")
    })
  )

  it.effect("counts the outcome that classify returns, at once or as an effect", () =>
    Effect.gen(function* () {
      const { breaker, ours } = yield* make({ trip: TripPolicy.consecutive(100) })
      const call = Effect.succeed("value")
      for (const outcome of [Theirs.success, Theirs.failure(), Theirs.failure(), Theirs.ignored]) {
        yield* breaker.execute(call, { key, classify: () => outcome })
        yield* breaker.execute(call, { key, classify: () => Effect.as(Effect.yieldNow, outcome) })
      }
      const { counts, inFlight } = yield* CircuitBreaker.status(ours, { key })
      assert.deepInclude(counts, { calls: 8, successes: 2, failures: 4, ignored: 2 })
      assert.strictEqual(inFlight, 0)
    })
  )

  it.effect("gives classify the exit, and the services that it needs", () =>
    Effect.gen(function* () {
      class Rules extends Context.Service<Rules, { readonly failing: string }>()("Rules") {}
      const { breaker } = yield* make()
      const call = Effect.succeed("bad").pipe(
        breaker.execute({
          key,
          classify: (exit: Exit.Exit<string>) =>
            Effect.map(Rules, ({ failing }) =>
              Exit.isSuccess(exit) && exit.value === failing ? Theirs.failure() : Theirs.success
            )
        })
      )
      yield* Effect.provideService(call, Rules, { failing: "worse" })
      assert.strictEqual(yield* tagOf(breaker), "Closed")
      yield* Effect.provideService(call, Rules, { failing: "bad" })
      assert.strictEqual(yield* tagOf(breaker), "Open")
    })
  )

  it.effect("ignores a call whose classify throws or dies, and fails it with both causes", () =>
    Effect.gen(function* () {
      for (const classify of [
        () => {
          throw new Error("broken")
        },
        () => Effect.die(new Error("broken")),
        // What no type allows.
        () => undefined as never
      ]) {
        const { breaker, ours } = yield* make()
        yield* Effect.exit(breaker.execute(Effect.fail(new Boom()), { key }))
        yield* TestClock.adjust("10 seconds")
        const failed = yield* Effect.exit(breaker.execute(Effect.fail(new Boom()), { key, classify }))
        assert.isTrue(Exit.isFailure(failed))
        if (Exit.isFailure(failed)) {
          assert.deepStrictEqual(
            failed.cause.reasons.map(({ _tag }) => _tag),
            ["Fail", "Die"]
          )
        }
        // It was a probe: its permit is back.
        assert.deepInclude(yield* breaker.state(key), { _tag: "HalfOpen", probing: false })
        yield* TestClock.adjust("1 second")
        const died = yield* Effect.exit(breaker.execute(Effect.succeed("value"), { key, classify }))
        assert.isTrue(Exit.isFailure(died) && Cause.hasDies(died.cause))
        const { counts, inFlight } = yield* CircuitBreaker.status(ours, { key })
        assert.deepInclude(counts, { ignored: 2, failures: 1 })
        assert.strictEqual(inFlight, 0)
      }
    })
  )

  it.effect("ignores interruption, and does not ask classify about it", () =>
    Effect.gen(function* () {
      const { breaker, ours } = yield* make()
      let asked = 0
      const classify = () => {
        asked++
        return Theirs.failure()
      }
      const fiber = yield* Effect.forkChild(breaker.execute(Effect.never, { key, classify }), {
        startImmediately: true
      })
      yield* Fiber.interrupt(fiber)
      yield* Effect.exit(breaker.execute(Effect.interrupt, { key, classify }))
      const { counts, inFlight, state } = yield* CircuitBreaker.status(ours, { key })
      assert.deepInclude(counts, { calls: 2, ignored: 2 })
      assert.deepStrictEqual([inFlight, state._tag, asked], [0, "Closed", 0])
      // One that is not alone in its cause counts.
      const both = Cause.combine(Cause.fail(new Boom()), Cause.interrupt())
      yield* Effect.exit(breaker.execute(Effect.failCause(both), { key, classify }))
      assert.deepStrictEqual([asked, yield* tagOf(breaker)], [1, "Open"])
    })
  )

  it.effect("gives the permit of an interrupted probe back", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make({ halfOpen: { pace: "1 second" } })
      yield* Effect.exit(breaker.execute(Effect.fail(new Boom()), { key }))
      yield* TestClock.adjust("10 seconds")
      const probe = yield* begin(breaker)
      assert.deepInclude(yield* breaker.state(key), { _tag: "HalfOpen", probing: true })
      yield* Fiber.interrupt(probe.fiber)
      assert.deepInclude(yield* breaker.state(key), { _tag: "HalfOpen", probing: false })
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* breaker.execute(Effect.succeed("back"), { key }), "back")
      assert.strictEqual(yield* tagOf(breaker), "Closed")
    })
  )

  it.effect("awaits the finalizers of an interrupted call", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make()
      const events: Array<string> = []
      const call = Effect.onInterrupt(Effect.never, () =>
        Effect.andThen(
          Effect.yieldNow,
          Effect.sync(() => events.push("finalized"))
        )
      )
      const fiber = yield* Effect.forkChild(breaker.execute(call, { key }), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      events.push("interrupted")
      assert.deepStrictEqual(events, ["finalized", "interrupted"])
    })
  )

  it.effect("ignores a call whose caller is interrupted while classify runs", () =>
    Effect.gen(function* () {
      const { breaker, ours } = yield* make()
      const call = breaker.execute(Effect.succeed("value"), { key, classify: () => Effect.never })
      const fiber = yield* Effect.forkChild(call, { startImmediately: true })
      assert.strictEqual((yield* CircuitBreaker.status(ours, { key })).inFlight, 1)
      yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
      const { counts, inFlight } = yield* CircuitBreaker.status(ours, { key })
      assert.deepInclude(counts, { calls: 1, ignored: 1 })
      assert.strictEqual(inFlight, 0)
    })
  )

  it.effect("keeps an uninterruptible caller uninterruptible, and an interruptible one interruptible", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make()
      const isInterruptible = Effect.withFiber((fiber) => Effect.succeed(Reflect.get(fiber, "interruptible") === true))
      let seen: boolean | undefined
      const classify = () =>
        Effect.map(isInterruptible, (interruptible) => {
          seen = interruptible
          return Theirs.success
        })
      const call = breaker.execute(isInterruptible, { key, classify })
      assert.deepStrictEqual([yield* call, seen], [true, true])
      assert.deepStrictEqual([yield* Effect.uninterruptible(call), seen], [false, false])
    })
  )

  it.effect("keeps the circuits of keys apart, and shares them with `protect`", () =>
    Effect.gen(function* () {
      const { breaker, ours } = yield* make()
      yield* Effect.exit(breaker.execute(Effect.fail(new Boom()), { key: "a" }))
      assert.deepStrictEqual(
        [yield* tagOf(breaker, "a"), yield* tagOf(breaker, "b"), yield* tagOf(breaker, "")],
        ["Open", "Closed", "Closed"]
      )
      const refused = yield* Effect.flip(CircuitBreaker.protect(Effect.void, ours, { key: "a" }))
      assert.strictEqual(refused._tag, "CircuitOpenError")
      yield* CircuitBreaker.protect(Effect.void, ours)
      // An empty key is a key, and not the breaker's own circuit.
      yield* Effect.exit(breaker.execute(Effect.fail(new Boom()), { key: "" }))
      assert.deepStrictEqual([yield* tagOf(breaker, ""), (yield* ours.status).state._tag], ["Open", "Closed"])
    })
  )

  it.effect("admits everything in a dry run", () =>
    Effect.gen(function* () {
      const { breaker, ours } = yield* make({ dryRun: true })
      yield* Effect.exit(breaker.execute(Effect.fail(new Boom()), { key }))
      assert.strictEqual(yield* breaker.execute(Effect.succeed("value"), { key }), "value")
      const { counts, state } = yield* CircuitBreaker.status(ours, { key })
      assert.deepStrictEqual([state._tag, counts.refused], ["Open", 1])
    })
  )

  it.effect("loses no permit among 10 000 fibers, some of them interrupted", () =>
    Effect.gen(function* () {
      const { breaker, ours } = yield* make({ trip: TripPolicy.failures({ count: 50, of: 100 }) })
      const fibers = yield* Effect.forEach(
        Array.from({ length: 10_000 }, (_, i) => i),
        (i) => {
          const work =
            i % 3 === 0
              ? Effect.never
              : Effect.andThen(Effect.yieldNow, i % 7 === 0 ? Effect.fail(new Boom()) : Effect.void)
          return Effect.forkChild(
            breaker.execute(work, { key, classify: i % 2 === 0 ? undefined : () => Effect.succeed(Theirs.success) }),
            { startImmediately: true }
          )
        }
      )
      yield* Effect.yieldNow
      yield* Fiber.interruptAll(fibers)
      const { counts, inFlight } = yield* CircuitBreaker.status(ours, { key })
      assert.strictEqual(inFlight, 0)
      assert.strictEqual(counts.calls + counts.refused, 10_000)
      assert.strictEqual(counts.successes + counts.failures + counts.ignored, counts.calls)
    })
  )
})

describe("hints of classify", () => {
  const openFor = (hint: Duration.Input, options?: CircuitBreaker.Options) =>
    Effect.gen(function* () {
      const { breaker } = yield* make(options)
      yield* breaker.execute(Effect.void, {
        key,
        classify: () => ({ _tag: "Failure", retryAfter: Duration.fromInputUnsafe(hint) })
      })
      const state = yield* breaker.state(key)
      return state._tag === "Open" ? Duration.toMillis(state.retryAfter) : state._tag
    }).pipe(Effect.scoped)

  it.effect("lengthen the open time up to maxOpenFor", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* openFor("20 seconds"), 20_000)
      assert.strictEqual(yield* openFor("20 seconds", { maxOpenFor: "15 seconds" }), 15_000)
      assert.strictEqual(yield* openFor("9 seconds"), 10_000)
    })
  )

  it.effect("of any length wedge nothing", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* openFor("Infinity"), 3_600_000)
      assert.strictEqual(yield* openFor("-5 seconds"), 10_000)
      assert.strictEqual(yield* openFor(0), 10_000)
      const { breaker, ours } = yield* make()
      // What no type allows.
      const classify = () => Effect.succeed({ _tag: "Failure", retryAfter: "soon" } as unknown as Theirs.Outcome)
      yield* breaker.execute(Effect.void, { key, classify })
      assert.deepInclude(yield* breaker.state(key), { _tag: "Open", retryAfter: Duration.seconds(10) })
      assert.strictEqual((yield* CircuitBreaker.status(ours, { key })).inFlight, 0)
    })
  )
})

describe("state", () => {
  it.effect("reads a key that was never used as closed, and makes no circuit for it", () =>
    Effect.gen(function* () {
      const { breaker, ours } = yield* make()
      assert.deepStrictEqual(yield* breaker.state("unknown"), { _tag: "Closed", key: "unknown" })
      assert.strictEqual(ours.circuits().length, 1)
    })
  )

  it.effect("counts down while open, and stays open until the next call", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make()
      yield* Effect.exit(breaker.execute(Effect.fail(new Boom()), { key }))
      const open = { _tag: "Open" as const, key, consecutiveOpenings: 1 }
      assert.deepStrictEqual(yield* breaker.state(key), { ...open, retryAfter: Duration.seconds(10) })
      yield* TestClock.adjust("9 seconds")
      assert.deepStrictEqual(yield* breaker.state(key), { ...open, retryAfter: Duration.seconds(1) })
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* breaker.state(key), { ...open, retryAfter: Duration.zero })
      yield* Effect.exit(breaker.execute(Effect.fail(new Boom()), { key }))
      assert.deepInclude(yield* breaker.state(key), { _tag: "Open", consecutiveOpenings: 2 })
    })
  )

  it.effect("says whether a probe is under way, and not for longer than its lease", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make({ halfOpen: { leaseFor: "5 seconds" } })
      yield* Effect.exit(breaker.execute(Effect.fail(new Boom()), { key }))
      yield* TestClock.adjust("10 seconds")
      yield* begin(breaker)
      const halfOpen = { _tag: "HalfOpen" as const, key, consecutiveOpenings: 1 }
      assert.deepStrictEqual(yield* breaker.state(key), { ...halfOpen, probing: true })
      yield* TestClock.adjust("4999 millis")
      assert.deepStrictEqual(yield* breaker.state(key), { ...halfOpen, probing: true })
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* breaker.state(key), { ...halfOpen, probing: false })
    })
  )

  it.effect("shows a hold of the key", () =>
    Effect.gen(function* () {
      const { breaker, ours } = yield* make()
      yield* CircuitBreaker.holdOpen(ours, { key, for: "1 minute" })
      const open = { _tag: "Open" as const, key, consecutiveOpenings: 0 }
      assert.deepStrictEqual(yield* breaker.state(key), { ...open, retryAfter: Duration.minutes(1) })
      assert.strictEqual(yield* tagOf(breaker, "other"), "Closed")
      yield* CircuitBreaker.holdOpen(ours, { key })
      assert.deepStrictEqual(yield* breaker.state(key), { ...open, retryAfter: Duration.infinity })
      yield* CircuitBreaker.holdClosed(ours, { key })
      yield* Effect.exit(breaker.execute(Effect.fail(new Boom()), { key }))
      assert.deepStrictEqual(yield* breaker.state(key), { _tag: "Closed", key })
    })
  )

  it.effect("shows a hold of the whole breaker for every key", () =>
    Effect.gen(function* () {
      const { breaker, ours } = yield* make()
      yield* Effect.exit(breaker.execute(Effect.fail(new Boom()), { key: "open" }))
      yield* CircuitBreaker.holdOpen(ours)
      const exit = yield* Effect.exit(breaker.execute(Effect.void, { key }))
      assert.deepStrictEqual(reasonOf(exit), new Theirs.CircuitOpen({ key, retryAfter: Duration.infinity }))
      assert.strictEqual(yield* tagOf(breaker), "Open")
      yield* CircuitBreaker.holdClosed(ours)
      yield* breaker.execute(Effect.void, { key: "open" })
      assert.strictEqual(yield* tagOf(breaker, "open"), "Closed")
    })
  )
})

describe("transitions", () => {
  it.effect("has the four edges, as Effect's own breaker reports them", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make()
      const fail = Effect.exit(breaker.execute(Effect.fail(new Boom()), { key }))
      const seen = yield* Effect.forkChild(Stream.runCollect(Stream.take(breaker.transitions, 5)), {
        startImmediately: true
      })
      yield* fail
      yield* TestClock.adjust("10 seconds")
      yield* fail
      yield* TestClock.adjust("10 seconds")
      yield* breaker.execute(Effect.void, { key })
      const opened = { key, to: "Open", retryAfter: Duration.seconds(10) }
      assert.deepStrictEqual(yield* Fiber.join(seen), [
        { ...opened, from: "Closed", consecutiveOpenings: 1 },
        { key, from: "Open", to: "HalfOpen" },
        { ...opened, from: "HalfOpen", consecutiveOpenings: 2 },
        { key, from: "Open", to: "HalfOpen" },
        { key, from: "HalfOpen", to: "Closed" }
      ])
    })
  )

  it.effect("has no holds, no resets of an open circuit and no releases", () =>
    Effect.gen(function* () {
      const { breaker, ours } = yield* make()
      const seen = yield* Effect.forkChild(Stream.runCollect(Stream.take(breaker.transitions, 2)), {
        startImmediately: true
      })
      const fail = Effect.exit(breaker.execute(Effect.fail(new Boom()), { key }))
      yield* CircuitBreaker.holdOpen(ours, { key })
      yield* CircuitBreaker.holdClosed(ours, { key })
      yield* CircuitBreaker.release(ours, { key })
      yield* fail
      yield* CircuitBreaker.reset(ours, { key })
      yield* CircuitBreaker.holdOpen(ours)
      yield* CircuitBreaker.release(ours)
      yield* fail
      const edges = (yield* Fiber.join(seen)).map(({ from, to }) => `${from} ${to}`)
      assert.deepStrictEqual(edges, ["Closed Open", "Closed Open"])
    })
  )

  it.effect("ends with the scope, after what came before", () =>
    Effect.gen(function* () {
      const ours = yield* CircuitBreaker.make("api", { trip: TripPolicy.consecutive(1), log: false })
      const scope = yield* Scope.make()
      const breaker = yield* Scope.provide(EffectBreaker.make(ours), scope)
      const seen = yield* Effect.forkChild(Stream.runCollect(breaker.transitions), { startImmediately: true })
      yield* Effect.exit(breaker.execute(Effect.fail(new Boom()), { key }))
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* Fiber.join(seen)).length, 1)
      assert.deepStrictEqual(yield* Stream.runCollect(breaker.transitions), [])
      assert.strictEqual(ours.listeners.size, 0)
    })
  )

  it.effect("listens only while it is run", () =>
    Effect.gen(function* () {
      const ours = yield* CircuitBreaker.make("api", { log: false })
      const breaker = yield* EffectBreaker.make(ours)
      assert.strictEqual(ours.listeners.size, 0)
      const fibers = yield* Effect.forEach([1, 2, 3], () =>
        Effect.forkChild(Stream.runDrain(breaker.transitions), { startImmediately: true })
      )
      assert.strictEqual(ours.listeners.size, 1)
      const [first, ...others] = fibers
      if (first !== undefined) yield* Fiber.interrupt(first)
      assert.strictEqual(ours.listeners.size, 1)
      yield* Fiber.interruptAll(others)
      assert.strictEqual(ours.listeners.size, 0)
    })
  )

  it.effect("shows every consumer what happens from the moment it begins", () =>
    Effect.gen(function* () {
      const { breaker, ours } = yield* make()
      const collect = Effect.forkChild(Stream.runCollect(Stream.take(breaker.transitions, 1)), {
        startImmediately: true
      })
      const fail = (of: string) => Effect.exit(breaker.execute(Effect.fail(new Boom()), { key: of }))
      const first = yield* collect
      const second = yield* collect
      yield* fail("a")
      const third = yield* collect
      yield* fail("b")
      const keys = yield* Effect.forEach([first, second, third], (fiber) =>
        Effect.map(Fiber.join(fiber), (edges) => edges.map(({ key }) => key))
      )
      assert.deepStrictEqual(keys, [["a"], ["a"], ["b"]])
      assert.strictEqual(ours.listeners.size, 0)
    })
  )

  it.effect("loses the oldest for a consumer that falls behind", () =>
    Effect.gen(function* () {
      const ours = yield* CircuitBreaker.make("api", { log: false })
      const scope = yield* Scope.make()
      const breaker = yield* Scope.provide(EffectBreaker.make(ours), scope)
      const open = yield* Deferred.make<void>()
      const seen: Array<Theirs.Transition> = []
      const consumer = yield* Effect.forkChild(
        Stream.runForEach(breaker.transitions, (edge) =>
          Effect.andThen(
            Deferred.await(open),
            Effect.sync(() => seen.push(edge))
          )
        ),
        { startImmediately: true }
      )
      const closed = { ...CircuitState.initial, _tag: "Closed" as const }
      for (let openings = 1; openings <= 3000; openings++) {
        const opened = { ...closed, _tag: "Open" as const, generation: openings, openings, reason: "a test" }
        CircuitChange.tell(ours.listeners, { name: "api", key: undefined, from: closed, to: opened })
      }
      yield* Deferred.succeed(open, undefined)
      yield* Scope.close(scope, Exit.void)
      yield* Fiber.join(consumer)
      const openings = seen.map((edge) => (edge.to === "Open" ? edge.consecutiveOpenings : 0))
      assert.deepStrictEqual(
        openings.slice(-1024),
        Array.from({ length: 1024 }, (_, i) => 1977 + i)
      )
      assert.isBelow(openings.length, 1100)
    })
  )

  it.effect("has the edges of the breaker's own circuit under an empty key, and none that Effect does not know", () =>
    Effect.gen(function* () {
      const { breaker, ours } = yield* make()
      const seen: Array<string> = []
      yield* Effect.forkScoped(
        Stream.runForEach(breaker.transitions, ({ from, key, to }) =>
          Effect.sync(() => seen.push(`${key}: ${from} ${to}`))
        ),
        { startImmediately: true }
      )
      const since = { generation: 0, since: 0 }
      const opened = { ...since, openings: 1, openMillis: 10 }
      const states: ReadonlyArray<CircuitState.CircuitState> = [
        { _tag: "Closed", ...opened },
        { _tag: "Open", ...opened, reason: "a test" },
        {
          _tag: "HalfOpen",
          ...opened,
          reason: "a test",
          permits: 1,
          leases: [],
          successes: 0,
          failures: 0,
          ignoredAt: 0,
          notBefore: 0
        },
        { _tag: "HeldOpen", ...since },
        { _tag: "HeldClosed", ...since }
      ]
      // A store that others share may report any change.
      for (const from of states) {
        for (const to of states) CircuitChange.tell(ours.listeners, { name: "api", key: undefined, from, to })
      }
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(seen, [": Closed Open", ": Open HalfOpen", ": HalfOpen Closed", ": HalfOpen Open"])
    })
  )
})

describe("layer", () => {
  class Payments extends CircuitBreaker.Service<Payments>()("payments", {
    trip: TripPolicy.consecutive(1),
    log: false
  }) {}

  it.effect("provides Effect's service from the class of a breaker", () =>
    Effect.gen(function* () {
      const breaker = yield* Theirs.CircuitBreaker
      yield* Effect.exit(breaker.execute(Effect.fail(new Boom()), { key }))
      assert.strictEqual((yield* CircuitBreaker.status(Payments, { key })).state._tag, "Open")
      assert.strictEqual((yield* CircuitBreaker.status(Payments)).state._tag, "Closed")
    }).pipe(Effect.provide(Layer.provideMerge(EffectBreaker.layer(Payments), Payments.layer)))
  )
})

describe("HttpClient.withCircuitBreaker", () => {
  type Answer = { readonly status: number; readonly headers?: Record<string, string> } | "transport error"

  /** A client in memory that gives the answers one after the other, the last one for ever. */
  const clientOf = (answers: ReadonlyArray<Answer>) => {
    const requests: Array<string> = []
    const client = HttpClient.make((request, url) =>
      Effect.suspend(() => {
        requests.push(url.href)
        const answer = answers[Math.min(requests.length, answers.length) - 1] ?? { status: 200 }
        return answer === "transport error"
          ? Effect.fail(
              new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request }) })
            )
          : Effect.succeed(
              HttpClientResponse.fromWeb(
                request,
                new Response(null, { status: answer.status, headers: answer.headers ?? {} })
              )
            )
      })
    )
    return { client, requests }
  }

  const origin = "http://api.test"

  /** State of the circuit after one request that got this answer. */
  const after = (answer: Answer, options?: CircuitBreaker.Options) =>
    Effect.gen(function* () {
      const { breaker } = yield* make(options)
      const { client } = clientOf([answer])
      yield* Effect.exit(HttpClient.withCircuitBreaker(client, { breaker }).get(`${origin}/a`))
      return yield* breaker.state(origin)
    }).pipe(Effect.scoped)

  it.effect("opens at what its default classifier calls a failure", () =>
    Effect.gen(function* () {
      for (const status of [408, 500, 502, 503, 504]) assert.strictEqual((yield* after({ status }))._tag, "Open")
      assert.strictEqual((yield* after("transport error"))._tag, "Open")
      for (const status of [200, 301, 400, 404, 429]) assert.strictEqual((yield* after({ status }))._tag, "Closed")
    })
  )

  it.effect("waits for the Retry-After of a 503, in seconds or as a date, up to maxOpenFor", () =>
    Effect.gen(function* () {
      const open = (retryAfter: Duration.Duration) => ({
        _tag: "Open" as const,
        key: origin,
        retryAfter,
        consecutiveOpenings: 1
      })
      const answer = (value: string): Answer => ({ status: 503, headers: { "retry-after": value } })
      assert.deepStrictEqual(yield* after(answer("120")), open(Duration.minutes(2)))
      assert.deepStrictEqual(yield* after(answer("1")), open(Duration.seconds(10)))
      assert.deepStrictEqual(yield* after(answer("120"), { maxOpenFor: "1 minute" }), open(Duration.minutes(1)))
      const date = new Date(90_000).toUTCString()
      assert.deepStrictEqual(yield* after(answer(date)), open(Duration.seconds(90)))
      assert.deepStrictEqual(yield* after(answer("soon")), open(Duration.seconds(10)))
    })
  )

  it.effect("neither counts a 429 nor closes a half-open circuit for it", () =>
    Effect.gen(function* () {
      const { breaker, ours } = yield* make({ trip: TripPolicy.consecutive(2) })
      const limited: Answer = { status: 429, headers: { "retry-after": "60" } }
      const { client, requests } = clientOf([{ status: 503 }, limited, { status: 503 }, limited, { status: 200 }])
      const guarded = HttpClient.withCircuitBreaker(client, { breaker })
      const get = Effect.exit(guarded.get(`${origin}/a`))
      yield* get
      yield* get
      assert.strictEqual(yield* tagOf(breaker, origin), "Closed")
      yield* get
      assert.strictEqual(yield* tagOf(breaker, origin), "Open")
      yield* TestClock.adjust("10 seconds")
      yield* get
      assert.deepInclude(yield* breaker.state(origin), { _tag: "HalfOpen", probing: false })
      yield* TestClock.adjust("1 second")
      yield* get
      assert.strictEqual(yield* tagOf(breaker, origin), "Closed")
      assert.strictEqual(requests.length, 5)
      assert.deepInclude((yield* CircuitBreaker.status(ours, { key: origin })).counts, { failures: 2, ignored: 2 })
    })
  )

  it.effect("refuses requests to the origin that fails, and to no other", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make()
      const { client, requests } = clientOf([{ status: 503 }, { status: 200 }])
      const guarded = HttpClient.withCircuitBreaker(client, { breaker })
      yield* guarded.get(`${origin}/a`)
      const refused = yield* Effect.flip(guarded.get(`${origin}/b`))
      assert.strictEqual(refused._tag, "CircuitBreakerError")
      assert.strictEqual((yield* guarded.get("http://other.test/")).status, 200)
      assert.deepStrictEqual(requests, [`${origin}/a`, "http://other.test/"])
    })
  )

  it.effect("recovers with a probe, beside which requests are refused", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make()
      const answer = yield* Deferred.make<void>()
      let requests = 0
      const client = HttpClient.make((request) =>
        Effect.gen(function* () {
          requests++
          if (requests === 2) yield* Deferred.await(answer)
          const status = requests === 1 ? 503 : 200
          return HttpClientResponse.fromWeb(request, new Response(null, { status }))
        })
      )
      const guarded = HttpClient.withCircuitBreaker(client, { breaker })
      yield* guarded.get(origin)
      yield* TestClock.adjust("10 seconds")
      const probe = yield* Effect.forkChild(guarded.get(origin), { startImmediately: true })
      const beside = yield* Effect.exit(guarded.get(origin))
      assert.strictEqual(reasonOf(beside)?._tag, "CircuitHalfOpen")
      yield* Deferred.succeed(answer, undefined)
      assert.strictEqual((yield* Fiber.join(probe)).status, 200)
      assert.strictEqual(yield* tagOf(breaker, origin), "Closed")
      assert.strictEqual(requests, 2)
    })
  )
})

describe("beside Effect's own breaker", () => {
  const millis = { openFor: 10, step: [0, 1, 8, 9, 10, 11, 30] } as const

  const outcomes = ["Success", "Failure", "Failure", "Failure", "Hinted", "Ignored", "Interrupted"] as const
  type Outcome = (typeof outcomes)[number]

  type Command =
    | { readonly _tag: "Call"; readonly key: string; readonly outcome: Outcome }
    | { readonly _tag: "Begin"; readonly key: string }
    | { readonly _tag: "End"; readonly index: number; readonly outcome: Outcome }
    | { readonly _tag: "Wait"; readonly millis: number }

  const literal = <const A extends ReadonlyArray<string | number>>(values: A) =>
    Arbitrary.schema(Schema.Literals(values))

  const commands = (kinds: ReadonlyArray<Command["_tag"]>) =>
    Arbitrary.array(
      Arbitrary.map(
        Arbitrary.all({
          _tag: literal(kinds),
          key: literal(["a", "a", "b"]),
          outcome: literal(outcomes),
          index: literal([0, 1, 2, 3, 4]),
          millis: literal(millis.step)
        }),
        // Each command takes what it needs.
        (command) => command as Command
      ),
      { minLength: 20, maxLength: 60 }
    )

  const ending: { readonly [_ in Outcome]: Effect.Effect<string, Outcome> } = {
    Success: Effect.succeed("value"),
    Failure: Effect.fail("Failure"),
    Hinted: Effect.fail("Hinted"),
    Ignored: Effect.fail("Ignored"),
    Interrupted: Effect.interrupt
  }

  const classify = (exit: Exit.Exit<string, Outcome>) => {
    if (Exit.isSuccess(exit)) return Theirs.success
    const error = exit.cause.reasons.find(Cause.isFailReason)?.error
    return error === "Ignored"
      ? Theirs.ignored
      : Theirs.failure({ retryAfter: error === "Hinted" ? Duration.millis(25) : undefined })
  }

  /** Runs commands, and returns what can be seen after each. */
  const run = (breaker: Theirs.CircuitBreaker, view: (state: Theirs.State) => unknown) => {
    const calls: Array<{
      readonly work: Deferred.Deferred<string, Outcome>
      readonly fiber: Fiber.Fiber<string, Outcome | Theirs.CircuitBreakerError>
    }> = []
    const seen = (exit: Exit.Exit<unknown, unknown> | undefined) => {
      if (exit === undefined) return "running"
      const reason = reasonOf(exit)
      if (reason === undefined) return Exit.isSuccess(exit) ? "succeeded" : "failed"
      return reason._tag === "CircuitOpen" ? `open for ${Duration.toMillis(reason.retryAfter)}` : reason._tag
    }
    const step = (command: Command) =>
      Effect.gen(function* () {
        switch (command._tag) {
          case "Call":
            return seen(yield* Effect.exit(breaker.execute(ending[command.outcome], { key: command.key, classify })))
          case "Begin": {
            const work = yield* Deferred.make<string, Outcome>()
            const call = breaker.execute(Deferred.await(work), { key: command.key, classify })
            const fiber = yield* Effect.forkChild(call, { startImmediately: true })
            calls.push({ work, fiber })
            return seen(fiber.pollUnsafe())
          }
          case "End": {
            const [call] = calls.splice(command.index, 1)
            if (call === undefined) return "none"
            if (command.outcome === "Interrupted") yield* Fiber.interrupt(call.fiber)
            else yield* Deferred.done(call.work, yield* Effect.exit(ending[command.outcome]))
            return seen(yield* Fiber.await(call.fiber))
          }
          case "Wait":
            return "waited"
        }
      })
    return (command: Command) =>
      Effect.gen(function* () {
        const result = yield* step(command)
        return { result, a: view(yield* breaker.state("a")), b: view(yield* breaker.state("b")) }
      })
  }

  /** Both breakers, run through the same commands in step. */
  const both = Effect.fnUntraced(function* (
    list: ReadonlyArray<Command>,
    failures: number,
    openFor: Duration.Input | Schedule.Schedule<unknown, number>,
    view: (state: Theirs.State) => unknown
  ) {
    const theirs = yield* Effect.provide(
      Theirs.make({ tripPolicy: Theirs.consecutive(failures), openDuration: openFor }),
      Theirs.layerStoreMemory()
    )
    const { breaker: ours } = yield* make({
      trip: TripPolicy.consecutive(failures),
      openFor: openFor as CircuitBreaker.Options["openFor"], // a schedule that reads its input is given the opening
      // Effect's breaker has no lease, and does not pace probes that were ignored.
      halfOpen: { leaseFor: "1000 days", pace: "1 millis" }
    })
    const edges = yield* Effect.forEach([theirs, ours], (breaker) => {
      const edges: Array<Theirs.Transition> = []
      const collect = Stream.runForEach(breaker.transitions, (edge) => Effect.sync(() => edges.push(edge)))
      return Effect.as(Effect.forkScoped(collect, { startImmediately: true }), edges)
    })
    const [left, right] = [run(theirs, view), run(ours, view)]
    for (const [i, command] of list.entries()) {
      const expected = yield* left(command)
      const got = yield* right(command)
      assert.deepStrictEqual(got, expected, `after command ${i}, ${JSON.stringify(command)}`)
      yield* TestClock.adjust(1 + (command._tag === "Wait" ? command.millis : 0))
    }
    return edges as [Array<Theirs.Transition>, Array<Theirs.Transition>]
  }, Effect.scoped)

  const visited = new Set<string>()
  const visit = (edges: ReadonlyArray<Theirs.Transition>) => {
    for (const { from, to } of edges) visited.add(`${from} to ${to}`)
  }

  it.effect.prop(
    "admits the same overlapping calls, and has the same states",
    [commands(["Call", "Begin", "Begin", "End", "End", "Wait"]), literal([1, 2, 3])],
    ([list, failures]) =>
      Effect.gen(function* () {
        // The count of openings is theirs as of the admission of a call, and ours as of its end.
        const view = (state: Theirs.State) => ({ ...state, consecutiveOpenings: undefined })
        const [theirs, ours] = yield* both(list, failures, millis.openFor, view)
        assert.deepStrictEqual(
          ours.map(({ from, key, to }) => [key, from, to]),
          theirs.map(({ from, key, to }) => [key, from, to])
        )
        visit(ours)
      }),
    { arbitrary: { runs: 200 } }
  )

  it.effect.prop(
    "has the same transitions, openings and open times by a schedule, with calls one after the other",
    [commands(["Call", "Call", "Call", "Wait"]), literal([1, 2, 3])],
    ([list, failures]) =>
      Effect.gen(function* () {
        const openFor = Schedule.exponential(millis.openFor).pipe(Schedule.upTo({ duration: 100 }))
        const [theirs, ours] = yield* both(list, failures, openFor, (state) => state)
        assert.deepStrictEqual(ours, theirs)
        visit(ours)
      }),
    { arbitrary: { runs: 200 } }
  )

  it("has visited every edge", () => {
    assert.deepStrictEqual([...visited].sort(), [
      "Closed to Open",
      "HalfOpen to Closed",
      "HalfOpen to Open",
      "Open to HalfOpen"
    ])
  })
})
