// svc-infra: a success threshold above the quota of probes could never be reached, and the circuit never closed. Here
// `probes` is how many run at one time and not how many there are, and what can never close is refused when it is built.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import { due } from "../support/circuits.ts"
import { invalid } from "../suites/rules.ts"

describe("svc-infra: more successes than probes", () => {
  for (const [probes, successes] of [
    [1, 2],
    [1, 10],
    [2, 5]
  ] as const) {
    it.effect(`${probes} at one time, ${successes} successes: closes with the last of them`, () =>
      Effect.gen(function* () {
        const { state, succeed, succeeds } = yield* due({ halfOpen: { probes, successes } })
        yield* succeeds(successes - 1)
        assert.strictEqual(yield* state, "HalfOpen")
        yield* succeed
        assert.strictEqual(yield* state, "Closed")
      })
    )
  }

  it("more successes than probes among which they have to be are refused", () => {
    assert.deepStrictEqual(
      invalid(() => CircuitBreaker.resolve({ halfOpen: { successes: { count: 4, of: 3 } } })),
      {
        module: "CircuitBreaker",
        field: "halfOpen.successes.count",
        value: 4,
        rule: "at most of (3), or the circuit could never close"
      }
    )
  })
})
