import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as CircuitBreakers from "../../src/breaker/CircuitBreakers.ts"
import * as Activity from "../../src/control/internal/Activity.ts"
import { quick } from "../support/circuits.ts"

const succeed = (breaker: CircuitBreaker.CircuitBreaker) => Effect.void.pipe(CircuitBreaker.protect(breaker))
const fail = (breaker: CircuitBreaker.CircuitBreaker) =>
  Effect.fail("down").pipe(CircuitBreaker.protect(breaker), Effect.ignore)

describe("Rates", () => {
  it.effect("count what happened since the period before, not what was before the first", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make("payments", { ...quick, log: false })
      yield* succeed(breaker)
      const rates = new Activity.Rates(5_000, breaker.circuits(), 1_000)
      assert.deepStrictEqual(rates.all(), { at: 1_000, everyMillis: 5_000, periods: 0, circuits: [] })
      yield* succeed(breaker)
      rates.sample(breaker.circuits(), true, 6_000)
      yield* fail(breaker)
      yield* fail(breaker)
      rates.sample(breaker.circuits(), true, 11_000)
      const name = "payments"
      assert.deepStrictEqual(rates.all(), {
        at: 11_000,
        everyMillis: 5_000,
        periods: 2,
        circuits: [{ name, successes: [1, 0], failures: [0, 1], refused: [0, 1] }]
      })
      assert.deepStrictEqual(rates.latest(), {
        at: 11_000,
        everyMillis: 5_000,
        periods: 1,
        circuits: [{ name, successes: [0], failures: [1], refused: [1] }]
      })
      rates.sample(breaker.circuits(), true, 16_000)
      assert.deepStrictEqual(rates.latest().circuits, [])
    })
  )

  it.effect("begin with the first calls of a circuit that is new, and with none of one that was left out before", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make("payments")
      const rates = (areAll: boolean) => {
        const made = new Activity.Rates(5_000, [], 0)
        made.sample(breaker.circuits(), areAll, 5_000)
        return made.all().circuits.map(({ successes }) => successes)
      }
      yield* succeed(breaker)
      assert.deepStrictEqual(rates(true), [[1]])
      assert.deepStrictEqual(rates(false), [])
    })
  )

  it.effect("keep the last 60 periods", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make("payments")
      const rates = new Activity.Rates(1, breaker.circuits(), 0)
      for (let i = 1; i <= 61; i++) {
        for (let n = 0; n < i; n++) yield* succeed(breaker)
        rates.sample(breaker.circuits(), true, i)
      }
      const { circuits, periods } = rates.all()
      assert.strictEqual(periods, 60)
      assert.deepStrictEqual([circuits[0]?.successes[0], circuits[0]?.successes.length], [2, 60])
    })
  )

  it.effect("a circuit of a key is named with its key, and forgotten when it goes", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make("search")
      const rates = new Activity.Rates(1, [], 0)
      yield* Effect.void.pipe(CircuitBreaker.protect(breaker, { key: "eu" }))
      rates.sample(breaker.circuits(), true, 1)
      assert.deepStrictEqual(rates.all().circuits, [
        { name: "search", key: "eu", successes: [1], failures: [0], refused: [0] }
      ])
      rates.sample([], true, 2)
      assert.deepStrictEqual(rates.all().circuits, [])
    })
  )
})

describe("Latencies", () => {
  /** Calls that take a number of milliseconds each. */
  const calls = (breaker: CircuitBreaker.CircuitBreaker, millis: ReadonlyArray<number>) =>
    Effect.forEach(millis, (each) => TestClock.adjust(each).pipe(CircuitBreaker.protect(breaker)), { discard: true })

  it.effect("are the median and the 95th percentile of the latest 100 calls", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make("payments")
      const latencies = new Activity.Latencies(yield* CircuitBreakers.CircuitBreakers)
      yield* calls(breaker, [5])
      latencies.start()
      latencies.start()
      assert.isUndefined(latencies.of(breaker.main))
      yield* calls(breaker, [7])
      assert.deepStrictEqual(latencies.of(breaker.main), { p50: 7, p95: 7, calls: 1 })
      yield* calls(breaker, [1, 2, 3])
      assert.deepStrictEqual(latencies.of(breaker.main), { p50: 2, p95: 7, calls: 4 })
      yield* calls(
        breaker,
        Array.from({ length: 100 }, (_, i) => 100 - i)
      )
      assert.deepStrictEqual(latencies.of(breaker.main), { p50: 50, p95: 95, calls: 100 })
      latencies.stop()
      yield* calls(breaker, [9])
      assert.deepStrictEqual([latencies.of(breaker.main), breaker.timed], [undefined, false])
    }).pipe(Effect.provide(CircuitBreakers.layer))
  )

  it.effect("leave out a call over which the clock was set back", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make("payments")
      const latencies = new Activity.Latencies(yield* CircuitBreakers.CircuitBreakers)
      latencies.start()
      yield* TestClock.setTime(10_000)
      yield* TestClock.setTime(4_000).pipe(CircuitBreaker.protect(breaker))
      assert.isUndefined(latencies.of(breaker.main))
      latencies.stop()
    }).pipe(Effect.provide(CircuitBreakers.layer))
  )
})
