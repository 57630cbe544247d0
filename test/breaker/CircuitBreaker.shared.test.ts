import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Duration, Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Backoff from "../../src/policies/Backoff.ts"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as CircuitBreakers from "../../src/breaker/CircuitBreakers.ts"
import * as CircuitState from "../../src/circuit/CircuitState.ts"
import * as CircuitStore from "../../src/store/CircuitStore.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import { assertRefused, both, caller, collectLogs, quick, refused } from "../support/circuits.ts"
import { slowStore } from "../support/slow-store.ts"

const latency = Duration.seconds(1)

/** Two instances of one breaker on one store, each with its calls. */
const fleet = (options?: CircuitBreaker.Options, wait: Effect.Effect<unknown> = Effect.sleep(latency)) =>
  Effect.gen(function* () {
    const shared = slowStore(wait, CircuitState.initial)
    const instance = Effect.map(
      Effect.provideService(
        CircuitBreaker.makeShared("api", { ...quick, ...options }),
        CircuitStore.CircuitStore,
        shared.store
      ),
      (breaker) => ({ breaker, ...caller(breaker) })
    )
    return { ...shared, one: yield* instance, two: yield* instance }
  })

/** A fleet whose circuit is open, with its open time over. */
const dueFleet = (options?: CircuitBreaker.Options) =>
  Effect.tap(fleet(options), ({ asked, one, two }) =>
    Effect.gen(function* () {
      yield* one.fail
      yield* TestClock.adjust(latency)
      assert.deepStrictEqual([yield* one.state, yield* two.state], ["Open", "Open"])
      yield* TestClock.adjust("10 seconds")
      asked.length = 0
    })
  )

describe("a healthy call", () => {
  both("asks the store nothing and waits for nothing", () =>
    Effect.gen(function* () {
      const { asked, one } = yield* fleet({ trip: TripPolicy.consecutive(3) })
      yield* one.succeeds(5)
      yield* one.fails(2)
      yield* one.interrupt
      yield* Effect.scoped(CircuitBreaker.permit(one.breaker))
      assert.deepStrictEqual(asked, [])
      assert.strictEqual((yield* one.status).counts.calls, 9)
    })
  )

  both("nor does one through a circuit that is held closed, or one that only a dry run admits", () =>
    Effect.gen(function* () {
      const { asked, one, write } = yield* fleet({ dryRun: true })
      yield* write("api", { _tag: "HeldClosed", generation: 1, since: 0 })
      yield* one.succeed
      yield* one.fail
      yield* write("api", { _tag: "HeldOpen", generation: 2, since: 0 })
      yield* one.succeed
      assert.deepStrictEqual(asked, [])
      assert.strictEqual((yield* one.status).counts.calls, 3)
    })
  )

  both("nor does a refused one", () =>
    Effect.gen(function* () {
      const { asked, one, write } = yield* fleet()
      yield* write("api", { ...CircuitState.initial, _tag: "Open", generation: 1, openMillis: 10_000, reason: "trip" })
      assertRefused(yield* one.succeed)
      assertRefused(yield* Effect.exit(Effect.scoped(CircuitBreaker.permit(one.breaker))))
      assert.deepStrictEqual(asked, [])
    })
  )
})

describe("a trip", () => {
  both("does not delay the caller, and reaches the other instances", () =>
    Effect.gen(function* () {
      const { one, two } = yield* fleet()
      assert.deepStrictEqual(yield* one.fail, Exit.fail("boom"))
      assert.strictEqual(yield* one.state, "Closed")
      yield* TestClock.adjust(latency)
      assert.deepStrictEqual([yield* one.state, yield* two.state], ["Open", "Open"])
      assertRefused(yield* two.succeed)
    })
  )

  both("is told once, however many calls fail until the store has heard of it", () =>
    Effect.gen(function* () {
      const { asked, one } = yield* fleet()
      yield* one.fails(100)
      yield* TestClock.adjust(latency)
      assert.deepStrictEqual(asked, ["api"])
      assert.strictEqual((yield* one.status).counts.failures, 100)
    })
  )

  both("is told again by the next failure, where the store did not hear of it", () =>
    Effect.gen(function* () {
      let deaf = true
      const { asked, one } = yield* fleet(
        {},
        Effect.suspend(() => (deaf ? Effect.die("connection lost") : Effect.void))
      )
      yield* one.fail
      yield* Effect.yieldNow
      assert.strictEqual(yield* one.state, "Closed")
      deaf = false
      yield* one.fail
      yield* Effect.yieldNow
      assert.deepStrictEqual([asked.length, yield* one.state], [2, "Open"])
    })
  )

  both("that comes after that of another instance changes nothing", () =>
    Effect.gen(function* () {
      const { one, two } = yield* fleet()
      yield* one.fail
      yield* TestClock.adjust(500)
      yield* two.fail
      yield* TestClock.adjust("10 seconds")
      const { state } = yield* one.status
      assert.isTrue(state._tag === "Open" && state.generation === 1)
    })
  )

  both("a schedule may say for how long", () =>
    Effect.gen(function* () {
      const { one } = yield* fleet({ openFor: Backoff.constant("7 seconds") })
      yield* one.fail
      yield* TestClock.adjust(latency)
      assert.deepStrictEqual((yield* one.status).retryAfter, Duration.seconds(6))
    })
  )
})

describe("a store that is eager", () => {
  both("has a trip in force at once, and is eager for nothing else", () =>
    Effect.gen(function* () {
      const slow = slowStore(Effect.sleep(latency), CircuitState.initial)
      const eager: Array<boolean> = []
      const store: CircuitStore.CircuitStore["Service"] = {
        ...slow.store,
        update: (cell, now, step, options) => {
          eager.push(options?.eager === true)
          return (options?.eager === true ? CircuitStore.local : slow.store).update(cell, now, step)
        }
      }
      const breaker = yield* Effect.provideService(
        CircuitBreaker.makeShared("api", { ...quick, openFor: Backoff.constant("10 seconds") }),
        CircuitStore.CircuitStore,
        store
      )
      const { begin, fail, state, succeed } = caller(breaker)
      yield* fail
      assert.strictEqual(yield* state, "Open")
      assertRefused(yield* succeed)
      assert.deepStrictEqual(eager, [true])
      yield* TestClock.adjust("10 seconds")
      yield* begin
      yield* TestClock.adjust(latency)
      yield* Effect.forkChild(CircuitBreaker.holdOpen(breaker), { startImmediately: true })
      assert.deepStrictEqual(eager, [true, false, false])
    })
  )
})

describe("a probe", () => {
  both("may be asked for again where the store died of the question", () =>
    Effect.gen(function* () {
      let broken = false
      const { one, write } = yield* fleet(
        {},
        Effect.suspend(() => (broken ? Effect.die("connection lost") : Effect.yieldNow))
      )
      yield* write("api", { ...CircuitState.initial, _tag: "Open", generation: 1, openMillis: 1, reason: "trip" })
      yield* TestClock.adjust(1)
      broken = true
      assert.deepStrictEqual(yield* one.succeed, Exit.die("connection lost"))
      broken = false
      assert.deepStrictEqual(yield* one.succeed, Exit.succeed("value"))
    })
  )

  both("waits for the store before it runs", () =>
    Effect.gen(function* () {
      const { one, two } = yield* dueFleet()
      const probe = yield* one.begin
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(
        [probe.fiber.pollUnsafe(), yield* one.state, (yield* one.status).inFlight],
        [undefined, "Open", 0]
      )
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(
        [yield* one.state, (yield* one.status).inFlight, yield* two.state],
        ["HalfOpen", 1, "HalfOpen"]
      )
      assert.deepStrictEqual(yield* probe.end(Exit.succeed(1)), Exit.succeed(1))
      yield* TestClock.adjust(latency)
      assert.deepStrictEqual([yield* one.state, yield* two.state], ["Closed", "Closed"])
    })
  )

  both("one instance asks one question at a time, its other callers are refused meanwhile", () =>
    Effect.gen(function* () {
      const { asked, one } = yield* dueFleet({ halfOpen: { probes: 2, successes: 2 } })
      const first = yield* one.begin
      const others = yield* Effect.replicateEffect(one.succeed, 100)
      for (const exit of others) {
        const error = refused(exit)
        assert.deepStrictEqual([error.state, error.retryAfter], ["Open", undefined])
      }
      assert.deepStrictEqual([asked.length, (yield* one.status).counts.refused], [1, 100])
      yield* TestClock.adjust(latency)
      const second = yield* one.begin
      yield* TestClock.adjust(latency)
      assert.deepStrictEqual([asked.length, (yield* one.status).inFlight], [2, 2])
      yield* first.end(Exit.succeed(1))
      yield* second.end(Exit.succeed(1))
      yield* TestClock.adjust(latency)
      assert.strictEqual(yield* one.state, "Closed")
    })
  )

  both("of a dry run does not wait for the question of another call", () =>
    Effect.gen(function* () {
      const { one } = yield* dueFleet({ dryRun: true })
      yield* one.begin
      assert.deepStrictEqual(yield* one.succeed, Exit.succeed("value"))
    })
  )

  both("there is one in the fleet: an instance that asks too late is refused by the store's answer", () =>
    Effect.gen(function* () {
      const { one, two } = yield* dueFleet()
      yield* one.begin
      yield* TestClock.adjust(1)
      const late = yield* Effect.forkChild(
        CircuitBreaker.protect(Effect.succeed("value"), two.breaker, { orElse: ({ state }) => Effect.succeed(state) }),
        { startImmediately: true }
      )
      yield* TestClock.adjust(latency)
      assert.strictEqual(yield* Fiber.join(late), "HalfOpen")
      const { counts, inFlight } = yield* two.status
      assert.deepStrictEqual([counts.refused, inFlight], [1, 0])
    })
  )

  both("whose caller is interrupted while it waits gives its permit back when the store grants it", () =>
    Effect.gen(function* () {
      const { one, two } = yield* dueFleet({ halfOpen: { pace: "3 seconds" } })
      const probe = yield* one.begin
      yield* TestClock.adjust(500)
      // The caller does not wait for the store.
      assert.isTrue(Exit.hasInterrupts(yield* probe.interrupt))
      yield* TestClock.adjust(500)
      yield* TestClock.adjust(latency)
      for (const instance of [one, two]) {
        const { inFlight, state } = yield* instance.status
        assert.strictEqual(inFlight, 0)
        assert.deepStrictEqual(state._tag === "HalfOpen" && state.leases, [])
      }
      assert.strictEqual((yield* one.status).counts.ignored, 1)
      yield* TestClock.adjust("3 seconds")
      yield* two.begin
      yield* TestClock.adjust(latency)
      assert.strictEqual((yield* two.status).inFlight, 1)
    })
  )

  both("whose caller is interrupted while it waits leaves nothing when the store refuses it", () =>
    Effect.gen(function* () {
      const { one, two } = yield* dueFleet()
      yield* one.begin
      const late = yield* two.begin
      yield* late.interrupt
      yield* TestClock.adjust(latency)
      const { counts, inFlight } = yield* two.status
      assert.deepStrictEqual([inFlight, counts.calls, counts.ignored], [0, 0, 0])
      // It may ask again.
      yield* TestClock.adjust("30 seconds")
      yield* two.begin
      yield* TestClock.adjust(latency)
      assert.strictEqual((yield* two.status).inFlight, 1)
    })
  )

  both("does not wait until the store has heard of its outcome", () =>
    Effect.gen(function* () {
      const { one, two } = yield* dueFleet()
      const probe = yield* one.begin
      yield* TestClock.adjust(latency)
      assert.deepStrictEqual(yield* probe.end(Exit.fail("boom")), Exit.fail("boom"))
      assert.deepStrictEqual([(yield* one.status).inFlight, yield* one.state], [0, "HalfOpen"])
      yield* TestClock.adjust(latency)
      assert.deepStrictEqual([yield* one.state, yield* two.state], ["Open", "Open"])
    })
  )

  both("whose classify throws gives its permit back", () =>
    Effect.gen(function* () {
      const { one } = yield* dueFleet()
      const bug = new Error("bug")
      const { begin } = caller(one.breaker, {
        classify: () => {
          throw bug
        }
      })
      const probe = yield* begin
      yield* TestClock.adjust(latency)
      assert.deepStrictEqual(yield* probe.end(Exit.succeed(1)), Exit.die(bug))
      yield* TestClock.adjust(latency)
      const { inFlight, state } = yield* one.status
      assert.deepStrictEqual([inFlight, state._tag === "HalfOpen" && state.leases], [0, []])
    })
  )

  both("with a permit waits in the same way, and its scope may close meanwhile", () =>
    Effect.gen(function* () {
      const { one } = yield* dueFleet()
      const fiber = yield* Effect.forkChild(
        Effect.scoped(Effect.andThen(CircuitBreaker.permit(one.breaker), Effect.sleep("1 minute"))),
        { startImmediately: true }
      )
      yield* TestClock.adjust(latency)
      assert.strictEqual((yield* one.status).inFlight, 1)
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust(latency)
      const { inFlight, state } = yield* one.status
      assert.deepStrictEqual([inFlight, state._tag === "HalfOpen" && state.leases], [0, []])
    })
  )
})

describe("what others do", () => {
  both("is reported here as well: log, changes, count", () => {
    const log = collectLogs()
    return Effect.gen(function* () {
      const { one, two } = yield* fleet({ log: true })
      const changes = yield* Effect.forkChild(Stream.runHead(CircuitBreaker.changes(two.breaker)), {
        startImmediately: true
      })
      yield* one.fail
      yield* TestClock.adjust(latency)
      const change = yield* Fiber.join(changes)
      assert.isTrue(change._tag === "Some" && change.value.to._tag === "Open")
      assert.strictEqual((yield* two.status).counts.changes, 1)
      assert.strictEqual(log.lines.length, 2)
    }).pipe(Effect.provide(log.layer))
  })

  both("a state that is written again without a change is no reason to forget what was counted", () =>
    Effect.gen(function* () {
      const { one, write } = yield* fleet({ trip: TripPolicy.failures({ count: 3, of: 10 }) })
      for (let i = 0; i < 3; i++) {
        yield* one.fail
        yield* one.succeed
        yield* write("api", CircuitState.initial)
        assert.strictEqual((yield* one.status).windows[0]?.hits, i + 1)
      }
      yield* TestClock.adjust(latency)
      assert.strictEqual(yield* one.state, "Open")
    })
  )

  both("a circuit that others closed begins to count anew", () =>
    Effect.gen(function* () {
      const { one, write } = yield* fleet({ trip: TripPolicy.consecutive(2) })
      yield* one.fail
      yield* write("api", { ...CircuitState.initial, generation: 3 })
      yield* one.fail
      yield* TestClock.adjust(latency)
      assert.strictEqual(yield* one.state, "Closed")
    })
  )

  both("an operator's hold waits for the store and holds the fleet", () =>
    Effect.gen(function* () {
      const { one, two } = yield* fleet()
      const fiber = yield* Effect.forkChild(CircuitBreaker.holdOpen(one.breaker, { by: "ada" }), {
        startImmediately: true
      })
      yield* TestClock.adjust(999)
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust(1)
      yield* Fiber.join(fiber)
      assert.strictEqual(refused(yield* two.succeed).by, "ada")
    })
  )
})

describe("the store", () => {
  both(
    "is told which circuits there are: the breaker's own and its keys, until they are forgotten or the scope closes",
    () =>
      Effect.gen(function* () {
        const { attached, store } = slowStore(Effect.void, CircuitState.initial)
        const scope = yield* Scope.make()
        const breaker = yield* CircuitBreaker.makeShared("api", { ...quick, keys: { max: 2 } }).pipe(
          Effect.provideService(CircuitStore.CircuitStore, store),
          Effect.provideService(Scope.Scope, scope)
        )
        for (const key of ["a", "b", "c"]) yield* caller(breaker, { key }).succeed
        assert.deepStrictEqual(attached(), ["api", "api/b", "api/c"])
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(attached(), [])
      })
  )

  it.effect("comes from the context of layerShared, and layer needs none", () =>
    Effect.gen(function* () {
      class Api extends CircuitBreaker.Service<Api>()("api", quick) {}
      const { asked, store } = slowStore(Effect.void, CircuitState.initial)
      const fail = Effect.fail("boom").pipe(CircuitBreaker.protect(Api), Effect.ignore, Effect.andThen(Effect.yieldNow))
      yield* Effect.provide(fail, Api.layer)
      assert.deepStrictEqual(asked, [])
      yield* Effect.provide(fail, Api.layerShared.pipe(Layer.provide(Layer.succeed(CircuitStore.CircuitStore, store))))
      assert.deepStrictEqual(asked, ["api"])
      yield* Effect.provide(fail, Api.layerShared.pipe(Layer.provide(CircuitStore.layerLocal)))
    })
  )

  it.effect("of layerShared does not delay the caller either", () =>
    Effect.gen(function* () {
      class Api extends CircuitBreaker.Service<Api>()("api", quick) {}
      const { asked, store } = slowStore(Effect.never, CircuitState.initial)
      yield* Effect.fail("boom")
        .pipe(CircuitBreaker.protect(Api), Effect.ignore, Effect.andThen(Effect.yieldNow))
        .pipe(Effect.provide(Api.layerShared.pipe(Layer.provide(Layer.succeed(CircuitStore.CircuitStore, store)))))
      assert.deepStrictEqual(asked, ["api"])
    })
  )

  it.effect("shared breakers are in the registry too, and leave the store with it", () =>
    Effect.gen(function* () {
      const { attached, store } = slowStore(Effect.void, CircuitState.initial)
      const registry = Context.make(CircuitBreakers.CircuitBreakers, yield* CircuitBreakers.make)
      yield* Effect.gen(function* () {
        const breaker = yield* CircuitBreaker.makeShared("api", quick)
        assert.strictEqual(yield* CircuitBreaker.makeShared("api", quick), breaker)
        assert.strictEqual(yield* CircuitBreakers.get("api"), breaker)
        assert.deepStrictEqual(attached(), ["api"])
      }).pipe(Effect.scoped, Effect.provide(registry), Effect.provideService(CircuitStore.CircuitStore, store))
      assert.deepStrictEqual(attached(), [])
    })
  )

  it.effect("of one name is one: a local breaker and a shared one, or two stores, are a conflict", () =>
    Effect.gen(function* () {
      const [one, two] = [slowStore(Effect.void, CircuitState.initial), slowStore(Effect.void, CircuitState.initial)]
      const local = CircuitBreaker.make("api", quick)
      const shared = (store: CircuitStore.CircuitStore["Service"]) =>
        Effect.provideService(CircuitBreaker.makeShared("api", quick), CircuitStore.CircuitStore, store)
      for (const [first, second] of [
        [local, shared(one.store)],
        [shared(one.store), local],
        [shared(one.store), shared(two.store)]
      ] as const) {
        yield* Effect.gen(function* () {
          const breaker = yield* first
          const exit = yield* Effect.exit(Effect.scoped(second))
          assert.isTrue(
            Exit.isFailure(exit) &&
              String(Cause.squash(exit.cause)).includes(`Two breakers are named "api" and differ in store: another one`)
          )
          assert.strictEqual(yield* CircuitBreakers.get("api"), breaker)
        }).pipe(Effect.scoped, Effect.provide(CircuitBreakers.layer))
      }
    })
  )
})
