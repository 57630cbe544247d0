// resilient-circuit: "5 of 10" was kept as a fraction in lowest terms, and one failure among two calls opened. Here counts
// are literal.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import { due, make } from "../support/circuits.ts"

describe("resilient-circuit: a reduced fraction", () => {
  for (const [count, of] of [
    [5, 10],
    [2, 4],
    [50, 100]
  ] as const) {
    it.effect(`${count} of ${of} opens at the failure number ${count}, with any number of successes between`, () =>
      Effect.gen(function* () {
        const { fail, state, succeed } = yield* make({ trip: TripPolicy.failures({ count, of }), log: false })
        for (let failures = 1; failures < count; failures++) {
          yield* succeed
          yield* fail
          assert.strictEqual(yield* state, "Closed", `after ${failures} failures`)
        }
        yield* fail
        assert.strictEqual(yield* state, "Open")
      })
    )
  }

  it("the numbers are kept as they are given", () => {
    const policy = TripPolicy.failures({ count: 5, of: 10 })
    assert.deepStrictEqual([policy.count, policy.of], [5, 10])
    assert.deepStrictEqual(TripPolicy.fromJson(TripPolicy.describe(policy)), policy)
  })

  it.effect("so are those of half-open: 2 of 4 closes with the second success, and not with the first", () =>
    Effect.gen(function* () {
      const { fail, state, succeed } = yield* due({ halfOpen: { successes: { count: 2, of: 4 } } })
      yield* fail
      yield* succeed
      yield* fail
      assert.strictEqual(yield* state, "HalfOpen")
      yield* succeed
      assert.strictEqual(yield* state, "Closed")
    })
  )

  it.effect("and opens again with the third failure, and not with the second", () =>
    Effect.gen(function* () {
      const { fail, state, succeed } = yield* due({ halfOpen: { successes: { count: 2, of: 4 } } })
      yield* fail
      yield* succeed
      yield* fail
      assert.strictEqual(yield* state, "HalfOpen")
      yield* fail
      assert.strictEqual(yield* state, "Open")
    })
  )
})
