// Keys that callers choose: their number and their length are bounded, whatever becomes of the calls.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import { assertRefused, both, caller, make, quick, refused } from "../support/circuits.ts"

setFlagsFromString("--expose-gc")
// Node has it in contexts that are made later.
const collect = runInNewContext("gc") as () => void

const others = "(other keys)"
const few = { ...quick, log: false, keys: { max: 100, idleFor: "1 minute" } } as const

const keysOf = (breaker: CircuitBreaker.CircuitBreaker) =>
  Effect.map(CircuitBreaker.statuses(breaker), (statuses) =>
    statuses.flatMap(({ key }) => (key === undefined ? [] : [key]))
  )

describe("a flood of keys", () => {
  both("that all fail leaves the keys that are well and have circuits alone, and what these have counted", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make({ ...few, trip: TripPolicy.consecutive(2) })
      const tenants = Array.from({ length: 40 }, (_, i) => caller(breaker, { key: `tenant ${i}` }))
      for (const tenant of tenants) yield* tenant.fail
      for (let i = 0; i < 1000; i++) {
        const key = caller(breaker, { key: `key ${i}` })
        yield* Effect.andThen(key.fail, key.fail)
      }
      assert.strictEqual(refused(yield* caller(breaker, { key: "fresh" }).succeed).key, others)
      // One of them is tried when all the others have kept their circuits.
      for (const tenant of tenants.slice(1)) assert.deepStrictEqual(yield* tenant.succeed, Exit.succeed("value"))
      yield* tenants[0]?.fail ?? assert.fail()
      assert.strictEqual(refused(yield* tenants[0]?.succeed ?? assert.fail()).key, "tenant 0")
    })
  )

  both("that all fail grows no further than twice `max`, and the circuit of other keys protects the rest", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make(few)
      const known = caller(breaker, { key: "known" })
      yield* known.fail
      for (let i = 0; i < 1000; i++) yield* caller(breaker, { key: `key ${i}` }).fail
      const keys = yield* keysOf(breaker)
      assert.isAtMost(keys.length, 201)
      assert.includeMembers(keys, ["known", "key 0", "key 198", others])
      assert.notInclude(keys, "key 199")
      const fresh = caller(breaker, { key: "fresh" })
      const error = refused(yield* fresh.succeed)
      assert.deepStrictEqual([error._tag, error.breaker, error.key], ["CircuitOpenError", "api", others])
      // Those that there are have a state of their own.
      yield* CircuitBreaker.reset(breaker, { key: "known" })
      assert.deepStrictEqual(yield* known.succeed, Exit.succeed("value"))
      // A probe closes the circuit of other keys, as any.
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(yield* fresh.succeed, Exit.succeed("value"))
      assert.strictEqual((yield* CircuitBreaker.status(breaker, { key: others })).state._tag, "Closed")
      yield* fresh.fail
      assertRefused(yield* caller(breaker, { key: "another" }).succeed)
    })
  )

  both("that is over leaves place for keys again", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make(few)
      for (let i = 0; i < 300; i++) yield* caller(breaker, { key: `key ${i}` }).fail
      assert.lengthOf(yield* keysOf(breaker), 201)
      yield* TestClock.adjust("2 minutes")
      yield* caller(breaker, { key: "fresh" }).succeed
      const keys = yield* keysOf(breaker)
      assert.include(keys, "fresh")
      assert.isAtMost(keys.length, 100)
    })
  )

  both("does not keep an operator from holding a key", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make(few)
      for (let i = 0; i < 300; i++) yield* caller(breaker, { key: `key ${i}` }).fail
      yield* CircuitBreaker.holdOpen(breaker, { key: "abuse" })
      assert.strictEqual(refused(yield* caller(breaker, { key: "abuse" }).succeed).key, "abuse")
      yield* CircuitBreaker.holdClosed(breaker, { key: others })
      assert.deepStrictEqual(yield* caller(breaker, { key: "fresh" }).succeed, Exit.succeed("value"))
    })
  )

  it.effect("that is at work at one time grows no further either", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make(few)
      const fibers = yield* Effect.forEach(
        Array.from({ length: 500 }, (_, i) => i),
        (i) => Effect.forkChild(CircuitBreaker.protect(Effect.sleep("1 second"), breaker, { key: `key ${i}` }))
      )
      yield* Effect.yieldNow
      assert.lengthOf(yield* keysOf(breaker), 201)
      const { inFlight } = yield* CircuitBreaker.status(breaker, { key: others })
      assert.strictEqual(inFlight, 300)
      yield* TestClock.adjust("1 second")
      yield* Effect.forEach(fibers, Fiber.join)
      assert.strictEqual((yield* CircuitBreaker.status(breaker, { key: others })).counts.successes, 300)
    })
  )
})

describe("a key that is long", () => {
  both("is kept short, and is another key than one that begins or ends alike", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make(few)
      const long = "x".repeat(1_000_000)
      const keys = [
        `${long}a`,
        `${long}b`,
        `a${long}`,
        `b${long}`,
        `${long}a${long}`,
        `${long}b${long}`,
        "y".repeat(513),
        // Is cut in the middle of a character.
        `y${"😀".repeat(512)}`
      ]
      for (const key of keys) {
        const own = caller(breaker, { key })
        assert.deepStrictEqual(yield* own.succeed, Exit.succeed("value"))
        yield* own.fail
        const error = refused(yield* own.succeed)
        assert.isAtMost(error.key?.length ?? Infinity, 512)
        // A query and an argument of a command cannot hold half a character.
        assert.strictEqual(new URLSearchParams({ key: error.key ?? "" }).get("key"), error.key)
        assert.strictEqual(yield* own.state, "Open")
        // Its short form is the key of the same circuit, so that an operator can name it.
        assertRefused(yield* caller(breaker, { key: error.key ?? "" }).succeed)
        yield* CircuitBreaker.reset(breaker, { key })
        assert.strictEqual(yield* own.state, "Closed")
      }
      const kept = yield* keysOf(breaker)
      assert.lengthOf(kept, keys.length)
      for (const key of kept) assert.isAtMost(key.length, 512)
      const whole = "z".repeat(512)
      yield* caller(breaker, { key: whole }).succeed
      assert.include(yield* keysOf(breaker), whole)
    })
  )

  it.effect("leaves nothing of its length in memory", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make({ keys: { max: 1000 }, log: false })
      const used = () => {
        collect()
        return process.memoryUsage().heapUsed
      }
      const before = used()
      for (let i = 0; i < 100; i++) {
        yield* CircuitBreaker.protect(Effect.void, breaker, {
          key: `${String.fromCharCode(97 + (i % 26)).repeat(1_000_000)}${i}`
        })
      }
      assert.isBelow(used() - before, 20_000_000)
      assert.lengthOf(yield* keysOf(breaker), 100)
    })
  )
})
