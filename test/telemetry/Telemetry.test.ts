import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Backoff from "../../src/policies/Backoff.ts"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as CircuitBreakers from "../../src/breaker/CircuitBreakers.ts"
import * as Fallback from "../../src/policies/Fallback.ts"
import * as Retry from "../../src/policies/Retry.ts"
import * as Telemetry from "../../src/telemetry/Telemetry.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import { both, quick, ways } from "../support/circuits.ts"
import { histogram, make, observed, read, registry, some } from "../support/telemetry.ts"

describe("Telemetry of circuits", () => {
  it.effect("every series of a breaker is there before its first call", () =>
    Effect.gen(function* () {
      yield* make()
      const series = yield* read
      const names = Object.entries(series)
        .filter(([name, value]) => name.includes("circuit.name=api") && typeof value === "number")
        .map(([name, value]) => `${name.replace("circuit.name=api", "")} ${String(value)}`)
      assert.deepStrictEqual(names, [
        "circuit.calls{,outcome=success} 0",
        "circuit.calls{,outcome=failure} 0",
        "circuit.calls{,outcome=ignored} 0",
        "circuit.refusals{} 0",
        "circuit.in_flight{} 0",
        "circuit.state{,circuit.state=closed} 1",
        "circuit.state{,circuit.state=open} 0",
        "circuit.state{,circuit.state=half_open} 0",
        "circuit.state{,circuit.state=held_open} 0",
        "circuit.state{,circuit.state=held_closed} 0",
        "circuit.transitions{,circuit.from=closed,circuit.to=open} 0",
        "circuit.transitions{,circuit.from=open,circuit.to=half_open} 0",
        "circuit.transitions{,circuit.from=half_open,circuit.to=open} 0",
        "circuit.transitions{,circuit.from=half_open,circuit.to=closed} 0",
        "circuit.open_time{} 0",
        "circuit.probes{} 0"
      ])
      assert.strictEqual((yield* histogram("circuit.duration{circuit.name=api,outcome=success}")).count, 0)
    }).pipe(observed())
  )

  both("calls by outcome, refusals, probes, changes of state and open time", () =>
    Effect.gen(function* () {
      const { begin, fail, interrupt, succeed, succeeds } = yield* make()
      yield* succeeds(3)
      yield* interrupt
      yield* fail
      yield* fail
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual((yield* read)["circuit.open_time{circuit.name=api}"], 4)
      yield* TestClock.adjust("8 seconds")
      const probe = yield* begin
      assert.strictEqual((yield* read)["circuit.in_flight{circuit.name=api}"], 1)
      yield* TestClock.adjust("1 second")
      yield* probe.end(Exit.succeed(1))
      yield* succeed
      yield* TestClock.adjust("1 minute")
      const { "circuit.duration{circuit.name=api,outcome=success}": success, ...others } = yield* some("circuit.")
      assert.strictEqual(typeof success === "object" && success.count, 5)
      assert.deepStrictEqual(
        Object.entries(others).filter(([, value]) => typeof value === "number"),
        Object.entries({
          "circuit.calls{circuit.name=api,outcome=success}": 5,
          "circuit.calls{circuit.name=api,outcome=failure}": 1,
          "circuit.calls{circuit.name=api,outcome=ignored}": 1,
          "circuit.refusals{circuit.name=api}": 1,
          "circuit.state{circuit.name=api,circuit.state=closed}": 1,
          "circuit.transitions{circuit.name=api,circuit.from=closed,circuit.to=open}": 1,
          "circuit.transitions{circuit.name=api,circuit.from=open,circuit.to=half_open}": 1,
          "circuit.transitions{circuit.name=api,circuit.from=half_open,circuit.to=closed}": 1,
          "circuit.open_time{circuit.name=api}": 13,
          "circuit.probes{circuit.name=api}": 1
        })
      )
    }).pipe(observed())
  )

  it.effect("open time does not fall when a clock is set back", () =>
    Effect.gen(function* () {
      const { fail } = yield* make()
      yield* fail
      yield* TestClock.setTime(5000)
      assert.strictEqual((yield* read)["circuit.open_time{circuit.name=api}"], 5)
      yield* TestClock.setTime(1000)
      assert.strictEqual((yield* read)["circuit.open_time{circuit.name=api}"], 5)
    }).pipe(observed())
  )

  it.effect("a hold is a state, and edges of operators appear when they are taken", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make()
      yield* CircuitBreaker.holdOpen(breaker, { by: "ada" })
      assert.deepStrictEqual(yield* some("circuit.state"), {
        "circuit.state{circuit.name=api,circuit.state=held_open}": 1
      })
      assert.deepStrictEqual(yield* some("circuit.transitions"), {
        "circuit.transitions{circuit.name=api,circuit.from=closed,circuit.to=held_open}": 1
      })
    }).pipe(observed())
  )

  both("latency is counted in buckets by outcome, and that of other policies too", () =>
    Effect.gen(function* () {
      const { begin, fail } = yield* make({ trip: TripPolicy.slowCalls({ after: "3 seconds" }) })
      for (const millis of [5, 6, 3000, 11_000]) {
        const call = yield* begin
        yield* TestClock.adjust(millis)
        yield* call.end(Exit.succeed(1))
      }
      yield* fail
      const { buckets, count, max, min, sum } = yield* histogram("circuit.duration{circuit.name=api,outcome=success}")
      assert.deepStrictEqual(
        [count, min, max, sum, Object.fromEntries(buckets)],
        [4, 0.005, 11, 14.011, { 0.005: 1, 1: 2, 5: 3 }]
      )
      assert.strictEqual((yield* histogram("circuit.duration{circuit.name=api,outcome=failure}")).count, 1)
      assert.strictEqual((yield* read)["circuit.slow_calls{circuit.name=api}"], 2)
    }).pipe(observed({ buckets: [0.005, 1, 5] }))
  )

  it.effect("latency: a clock that is set back is no duration", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(5000)
      const { begin } = yield* make()
      const call = yield* begin
      yield* TestClock.setTime(1000)
      yield* call.end(Exit.succeed(1))
      assert.strictEqual((yield* histogram("circuit.duration{circuit.name=api,outcome=success}")).count, 0)
    }).pipe(observed())
  )

  it.effect("latency: false leaves the breaker as it is, and all but the histogram", () =>
    Effect.gen(function* () {
      const { breaker, succeed } = yield* make()
      yield* succeed
      assert.isFalse(breaker.timed)
      assert.deepStrictEqual(yield* some("circuit.duration"), {})
      assert.deepStrictEqual(yield* some("circuit.calls"), { "circuit.calls{circuit.name=api,outcome=success}": 1 })
    }).pipe(observed({ latency: false }))
  )

  it.effect("a call whose start nobody noted has no latency", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1000)
      const { begin, breaker } = yield* make()
      const [success, failure] = [yield* begin, yield* begin]
      const scope = yield* Scope.make()
      yield* Layer.buildWithScope(Telemetry.layer(), scope)
      yield* TestClock.adjust("1 second")
      yield* success.end(Exit.succeed(1))
      yield* failure.end(Exit.fail("late"))
      assert.deepStrictEqual(breaker.main.inFlight, 0)
      assert.strictEqual((yield* histogram("circuit.duration{circuit.name=api,outcome=success}")).count, 0)
      assert.strictEqual((yield* histogram("circuit.duration{circuit.name=api,outcome=failure}")).count, 0)
      assert.strictEqual((yield* read)["circuit.calls{circuit.name=api,outcome=failure}"], 1)
      yield* Scope.close(scope, Exit.void)
    }).pipe(ways[0]![1], Effect.provide(Layer.merge(CircuitBreakers.layer, registry())))
  )
})

describe("Telemetry of keys", () => {
  const use = (breaker: CircuitBreaker.CircuitBreaker, key: string, failing = false) =>
    Effect.exit(CircuitBreaker.protect(failing ? Effect.fail("boom") : Effect.succeed(1), breaker, { key }))

  it.effect("keys are counted with their breaker, and no key is a label", () =>
    Effect.gen(function* () {
      const { breaker, succeed } = yield* make()
      yield* succeed
      const before = Object.keys(yield* read).length
      for (let i = 0; i < 50; i++) yield* use(breaker, `key-${i}`, i < 10)
      const series = yield* read
      assert.strictEqual(Object.keys(series).length, before + 5)
      assert.isFalse(Object.keys(series).some((name) => name.includes("key-")))
      assert.deepStrictEqual(yield* some("circuit.calls"), {
        "circuit.calls{circuit.name=api,outcome=success}": 41,
        "circuit.calls{circuit.name=api,outcome=failure}": 10
      })
      assert.deepStrictEqual(yield* some("circuit.keys"), {
        "circuit.keys{circuit.name=api,circuit.state=closed}": 40,
        "circuit.keys{circuit.name=api,circuit.state=open}": 10
      })
    }).pipe(observed())
  )

  it.effect("counters and open time do not fall when keys are forgotten", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make({ keys: { max: 10, idleFor: "1 minute" } })
      let calls = 0
      let open = 0
      for (let i = 0; i < 100; i++) {
        yield* use(breaker, `key-${i}`, i % 3 === 0)
        yield* TestClock.adjust("10 seconds")
        const series = yield* read
        const sum =
          Number(series["circuit.calls{circuit.name=api,outcome=success}"]) +
          Number(series["circuit.calls{circuit.name=api,outcome=failure}"])
        const time = Number(series["circuit.open_time{circuit.name=api}"])
        assert.strictEqual(sum, ++calls)
        assert.isAtLeast(time, open)
        open = time
      }
      assert.isBelow(breaker.circuits().length, 40)
      assert.isAbove(open, 300)
    }).pipe(observed())
  )

  it.effect("asked for, keys have series up to the limit, which go away with their circuit", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make({ keys: { max: 2, idleFor: "1 minute" } })
      const labels = Effect.map(read, (series) => [
        ...new Set(Object.keys(series).flatMap((name) => /circuit\.key=([^,}]*)/.exec(name)?.[1] ?? []))
      ])
      yield* use(breaker, "a")
      yield* use(breaker, "b", true)
      yield* use(breaker, "b")
      assert.deepStrictEqual(yield* labels, ["a"])
      yield* use(breaker, "c")
      yield* use(breaker, "d")
      assert.deepStrictEqual(yield* labels, ["d"])
      assert.deepStrictEqual(yield* some("circuit.key."), {
        "circuit.key.calls{circuit.name=api,circuit.key=d,outcome=success}": 1,
        "circuit.key.state{circuit.name=api,circuit.key=d,circuit.state=closed}": 1
      })
    }).pipe(observed({ keys: { api: 1 } }))
  )
})

describe("Telemetry comes and goes", () => {
  it.effect("keys that are there before it have series too", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make()
      yield* Effect.succeed(1).pipe(CircuitBreaker.protect(breaker, { key: "a" }))
      yield* Layer.build(Telemetry.layer({ keys: { api: 1 } }))
      assert.deepInclude(yield* read, {
        "circuit.keys{circuit.name=api,circuit.state=closed}": 1,
        "circuit.key.calls{circuit.name=api,circuit.key=a,outcome=success}": 1
      })
    }).pipe(Effect.provide(Layer.merge(CircuitBreakers.layer, registry())))
  )

  it.effect("series are those of the breakers that are registered", () =>
    Effect.gen(function* () {
      const before = Object.keys(yield* read)
      const scope = yield* Scope.make()
      const breaker = yield* CircuitBreaker.make("short", quick).pipe(Effect.provideService(Scope.Scope, scope))
      yield* CircuitBreaker.protect(Effect.fail("boom"), breaker, { key: "a" }).pipe(Effect.exit)
      yield* CircuitBreaker.holdOpen(breaker)
      assert.isTrue(Object.keys(yield* read).some((name) => name.includes("short")))
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(Object.keys(yield* read), before)
      yield* CircuitBreaker.make("short", quick)
      assert.isTrue(Object.keys(yield* read).some((name) => name.includes("short")))
    }).pipe(observed({ keys: { short: 10 } }))
  )

  it.effect("not provided: no metric, no observer, no measured time; the same when its scope has closed", () =>
    Effect.gen(function* () {
      const { breaker, fail, succeed } = yield* make({ trip: TripPolicy.consecutive(9) })
      const traffic = Effect.all([
        succeed,
        fail,
        Effect.fail("boom").pipe(
          Retry.retry({ maxAttempts: 2, backoff: Backoff.constant(0) }),
          Fallback.orElseSucceed(() => 1)
        )
      ])
      yield* traffic
      assert.deepStrictEqual(yield* read, {})
      assert.deepStrictEqual([breaker.observer, breaker.timed], [undefined, false])
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Telemetry.layer(), scope)
      yield* Effect.provide(traffic, context)
      assert.strictEqual((yield* read)["retry.retries{}"], 1)
      assert.deepStrictEqual([breaker.observer === undefined, breaker.timed], [false, true])
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* read, {})
      assert.deepStrictEqual([breaker.observer, breaker.timed], [undefined, false])
      const { watchers } = yield* CircuitBreakers.CircuitBreakers
      // The one listener is the registry of breakers.
      assert.deepStrictEqual([breaker.listeners.size, watchers.size], [1, 0])
    }).pipe(Effect.provide(Layer.merge(CircuitBreakers.layer, registry())))
  )
})
