import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Random, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import { both, caller, make, opened, quick, refusal } from "../support/circuits.ts"

const fibers = 10_000

/** Runs calls at the same time, and returns how they ended. */
const all = <A, E>(call: (i: number) => Effect.Effect<A, E>) =>
  Effect.forEach(
    Array.from({ length: fibers }, (_, i) => i),
    (i) => Effect.exit(call(i)),
    { concurrency: "unbounded" }
  )

const count = (exits: ReadonlyArray<Exit.Exit<unknown, unknown>>) => ({
  succeeded: exits.filter(Exit.isSuccess).length,
  refused: exits.filter((exit) => refusal(exit) !== undefined).length,
  interrupted: exits.filter(Exit.hasInterrupts).length,
  total: exits.length
})

/** Asserts that every call is accounted for. */
const balanced = (breaker: CircuitBreaker.CircuitBreaker) =>
  Effect.map(CircuitBreaker.statuses(breaker), (statuses) => {
    for (const { counts, inFlight, state } of statuses) {
      assert.strictEqual(inFlight, 0)
      assert.strictEqual(counts.calls, counts.successes + counts.failures + counts.ignored)
      if (state._tag === "HalfOpen") assert.deepStrictEqual(state.leases, [])
    }
  })

describe(`${fibers} fibers through one breaker lose no permit`, () => {
  both("closed: all run", () =>
    Effect.gen(function* () {
      const { breaker, status } = yield* make(quick)
      let most = 0
      const exits = yield* all(() =>
        Effect.yieldNow.pipe(
          Effect.andThen(Effect.map(status, ({ inFlight }) => (most = Math.max(most, inFlight)))),
          CircuitBreaker.protect(breaker)
        )
      )
      assert.strictEqual(count(exits).succeeded, fibers)
      // They did run at the same time.
      assert.strictEqual(most, fibers)
      yield* balanced(breaker)
    })
  )

  both("tripping: what was under way ends, what comes later is refused, and it opens once", () =>
    Effect.gen(function* () {
      const { breaker, status } = yield* make({ trip: TripPolicy.consecutive(5), log: false })
      const exits = yield* all((i) =>
        Effect.replicateEffect(Effect.yieldNow, i % 7, { discard: true }).pipe(
          Effect.andThen(i % 2 === 0 ? Effect.void : Effect.yieldNow),
          Effect.andThen(CircuitBreaker.protect(Effect.andThen(Effect.yieldNow, Effect.fail("boom")), breaker))
        )
      )
      const { refused, succeeded } = count(exits)
      const { counts, state } = yield* status
      assert.strictEqual(succeeded, 0)
      assert.strictEqual(counts.calls, fibers - refused)
      assert.strictEqual(counts.refused, refused)
      assert.isAbove(refused, 0)
      assert.deepStrictEqual([counts.changes, state.generation, state._tag], [1, 1, "Open"])
      yield* balanced(breaker)
    })
  )

  for (const probes of [1, 10]) {
    both(`half-open with ${probes} probes: never more at a time, and it closes`, () =>
      Effect.gen(function* () {
        const { breaker, status, succeed } = yield* opened({ halfOpen: { probes, successes: 2 * probes } })
        yield* TestClock.adjust("10 seconds")
        let running = 0
        let most = 0
        const exits = yield* all(() =>
          Effect.gen(function* () {
            running++
            most = Math.max(most, running)
            yield* Effect.yieldNow
            running--
          }).pipe(CircuitBreaker.protect(breaker))
        )
        const { refused, succeeded } = count(exits)
        assert.deepStrictEqual([most, succeeded, refused], [probes, probes, fibers - probes])
        yield* balanced(breaker)
        for (let i = 0; i < probes; i++) yield* succeed
        assert.strictEqual((yield* status).state._tag, "Closed")
      })
    )
  }

  both("all are interrupted while they run", () =>
    Effect.gen(function* () {
      const { breaker, status } = yield* make(quick)
      const running = yield* Effect.forEach(Array.from({ length: fibers }), () =>
        Effect.forkChild(CircuitBreaker.protect(Effect.never, breaker), { startImmediately: true })
      )
      assert.strictEqual((yield* status).inFlight, fibers)
      yield* Fiber.interruptAll(running)
      const { counts, state } = yield* status
      assert.deepStrictEqual([counts.ignored, state._tag], [fibers, "Closed"])
      yield* balanced(breaker)
    })
  )

  both("a storm of everything: keys, failures, defects, interruptions, holds, resets, permits and waiting", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make({
        trip: TripPolicy.any(TripPolicy.consecutive(3), TripPolicy.slowCalls({ after: "5 seconds", minimumCalls: 5 })),
        openFor: "3 seconds",
        halfOpen: { probes: 2, successes: { count: 2, of: 3 }, leaseFor: "2 seconds", pace: 100 },
        keys: { max: 20 },
        log: false
      })
      const one = (i: number) =>
        Effect.gen(function* () {
          const draw = (below: number) => Random.nextIntBetween(0, below)
          yield* Effect.sleep(yield* draw(20_000))
          const key = i % 3 === 0 ? undefined : `k${yield* draw(30)}`
          const work = Effect.sleep(yield* draw(6_000))
          const kind = yield* draw(100)
          if (kind === 0) return yield* CircuitBreaker.holdOpen(breaker, { for: "1 second", key })
          if (kind === 1) return yield* CircuitBreaker.holdClosed(breaker, { for: "1 second", key })
          if (kind === 2) return yield* CircuitBreaker.reset(breaker, { key })
          if (kind === 3) return yield* CircuitBreaker.release(breaker, { key })
          const call =
            kind < 40
              ? work
              : kind < 70
                ? Effect.andThen(work, Effect.fail("boom"))
                : kind < 80
                  ? Effect.andThen(work, Effect.die("defect"))
                  : Effect.andThen(work, Effect.interrupt)
          const guarded =
            kind % 2 === 0
              ? CircuitBreaker.protect(call, breaker, { key })
              : Effect.scoped(Effect.andThen(CircuitBreaker.permit(breaker, { key }), call))
          return yield* kind < 90 ? guarded : Effect.timeout(guarded, yield* draw(3_000))
        })
      const running = yield* Effect.forkChild(all(one), { startImmediately: true })
      for (let i = 0; i < 40; i++) yield* TestClock.adjust("1 second")
      const exits = yield* Fiber.join(running)
      assert.strictEqual(exits.length, fibers)
      const { interrupted, refused, succeeded } = count(exits)
      for (const some of [interrupted, refused, succeeded]) assert.isAbove(some, 100)
      yield* balanced(breaker)
      // Every circuit can close again, whatever happened.
      yield* CircuitBreaker.release(breaker)
      yield* TestClock.adjust("10 seconds")
      for (const { key } of yield* CircuitBreaker.statuses(breaker)) {
        const { state, succeeds } = caller(breaker, { key })
        yield* succeeds(3)
        assert.strictEqual(yield* state, "Closed")
      }
    }).pipe(Random.withSeed("storm"))
  )
})

describe("nothing is left behind", () => {
  it.effect("by breakers, keys and subscribers that come and go", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make({ ...quick, keys: { max: 100 } })
      for (let i = 0; i < 5_000; i++) {
        yield* Effect.exit(CircuitBreaker.protect(Effect.void, breaker, { key: `key ${i}` }))
        if (i % 50 === 0) {
          const subscriber = yield* Effect.forkChild(Stream.runDrain(CircuitBreaker.changes(breaker)), {
            startImmediately: true
          })
          yield* CircuitBreaker.holdOpen(breaker, { key: `key ${i}` })
          yield* CircuitBreaker.release(breaker, { key: `key ${i}` })
          yield* Fiber.interrupt(subscriber)
        }
      }
      assert.isAtMost((yield* CircuitBreaker.statuses(breaker)).length, 101)
      assert.strictEqual(breaker.listeners.size, 0)
    })
  )
})
