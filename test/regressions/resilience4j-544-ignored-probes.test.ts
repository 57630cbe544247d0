// resilience4j#544, svroonland/rezilience PR#521 and svc-infra: a probe that was ignored or cancelled kept its permit, so
// that the quota was used up and the circuit half-open for ever. Here it gives its permit back, and `pace` keeps the next
// ones from becoming a flood.
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit } from "effect"
import { TestClock } from "effect/testing"
import { assertRefused, due, refused } from "../support/circuits.ts"

const ignores = { ignore: (error: unknown) => error === "not found", halfOpen: { pace: "1 second" } } as const

describe("resilience4j#544, rezilience#521: probes that say nothing", () => {
  it.effect("an ignored probe gives its permit back, and the next one comes after the pace", () =>
    Effect.gen(function* () {
      const { exit, state, succeed } = yield* due(ignores)
      yield* exit(Effect.fail("not found"))
      assert.strictEqual(yield* state, "HalfOpen")
      assert.deepStrictEqual(refused(yield* succeed).retryAfter, Duration.seconds(1))
      yield* TestClock.adjust("999 millis")
      assertRefused(yield* succeed)
      yield* TestClock.adjust("1 milli")
      assert.deepStrictEqual(yield* succeed, Exit.succeed("value"))
      assert.strictEqual(yield* state, "Closed")
    })
  )

  it.effect("an interrupted probe gives its permit back", () =>
    Effect.gen(function* () {
      const { begin, state, succeed } = yield* due(ignores)
      const probe = yield* begin
      assertRefused(yield* succeed)
      yield* probe.interrupt
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* succeed, Exit.succeed("value"))
      assert.strictEqual(yield* state, "Closed")
    })
  )

  it.effect("however many probes say nothing, the circuit closes with one that succeeds", () =>
    Effect.gen(function* () {
      const { begin, exit, state, succeed } = yield* due({
        ...ignores,
        halfOpen: { probes: 2, successes: { count: 2, of: 3 }, pace: "1 second" }
      })
      for (let i = 0; i < 100; i++) {
        yield* i % 2 === 0 ? exit(Effect.fail("not found")) : Effect.flatMap(begin, (probe) => probe.interrupt)
        assert.strictEqual(yield* state, "HalfOpen")
        yield* TestClock.adjust("1 second")
      }
      yield* succeed
      yield* succeed
      assert.strictEqual(yield* state, "Closed")
    })
  )

  it.effect("they are no flood: one a pace, however many ask", () =>
    Effect.gen(function* () {
      const { exit } = yield* due(ignores)
      let ran = 0
      for (let i = 0; i < 1000; i++) {
        yield* exit(
          Effect.andThen(
            Effect.sync(() => ran++),
            Effect.fail("not found")
          )
        )
        yield* TestClock.adjust("10 millis")
      }
      assert.strictEqual(ran, 10)
    })
  )
})
