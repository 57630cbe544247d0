import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Schedule, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import type { Policy } from "./Model.ts"
import { tripPolicy } from "./policies.ts"
import { agrees } from "./run.ts"
import type { System } from "./run.ts"

/** A schedule whose n-th delay is the n-th of these. Its last one repeats, as `openFor` says. */
const delays = (millis: ReadonlyArray<number>): Duration.Input | Schedule.Schedule<unknown> => {
  const [first] = millis
  if (millis.length === 1 && first !== undefined) return first
  return Schedule.forever.pipe(
    Schedule.upTo({ times: millis.length }),
    Schedule.modifyDelay(({ attempt }) => Effect.succeed(Duration.millis(millis[attempt - 1] ?? Number.NaN)))
  )
}

/** The breaker that services use, through its public functions, on the TestClock. */
const breaker = (policy: Policy): Effect.Effect<System<CircuitBreaker.Permit>> =>
  Effect.sync(() => {
    const circuit = CircuitBreaker.makeUnsafe("model", {
      trip: tripPolicy(policy.trip),
      openFor: delays(policy.openFor),
      maxOpenFor: policy.maxOpenFor,
      halfOpen: {
        probes: policy.probes,
        successes: { count: policy.needed, of: policy.of },
        leaseFor: policy.leaseFor,
        pace: policy.pace
      },
      dryRun: policy.dryRun,
      log: false
    })
    const scope = Scope.makeUnsafe()
    const wait = (after: Duration.Duration | undefined) => (after === undefined ? undefined : Duration.toMillis(after))
    return {
      admit: Effect.matchEffect(Scope.provide(CircuitBreaker.permit(circuit), scope), {
        onSuccess: (admission) => Effect.succeed({ _tag: "Admitted", admission } as const),
        onFailure: (refused) => {
          assert.strictEqual(refused.breaker, "model")
          return Effect.succeed({ _tag: "Refused", wait: wait(refused.retryAfter) } as const)
        }
      }),
      settle: (permit, outcome, hint) =>
        outcome === "Success"
          ? permit.succeed
          : outcome === "Ignored"
            ? permit.ignore
            : permit.fail(hint === 0 ? undefined : { retryAfter: hint }),
      wait: (millis) => TestClock.adjust(millis),
      hold: (as, forMillis) =>
        (as === "HeldOpen" ? CircuitBreaker.holdOpen : CircuitBreaker.holdClosed)(circuit, { for: forMillis }),
      release: CircuitBreaker.release(circuit),
      reset: CircuitBreaker.reset(circuit),
      view: Effect.map(circuit.status, ({ counts, inFlight, retryAfter, state }) => {
        assert.strictEqual(inFlight, counts.calls - counts.successes - counts.failures - counts.ignored)
        return { mode: state._tag, number: state.generation, wait: wait(retryAfter), counts }
      })
    }
  })

describe("the model and the breaker", () => {
  it.effect("agree on 1000 random histories that reach every edge and every rule", () =>
    agrees(breaker, { runs: 1000, dryRuns: true })
  )
})
