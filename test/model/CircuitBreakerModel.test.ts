import { assert, describe, it } from "@effect/vitest"
import { Data, Duration, Effect, Exit, Schedule } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import type { Call } from "../support/circuits.ts"
import { caller, ways } from "../support/circuits.ts"
import type { Policy } from "./Model.ts"
import { tripPolicy } from "./policies.ts"
import { agrees } from "./run.ts"
import type { System } from "./run.ts"

class Failed extends Data.TaggedError("Failed")<{ readonly retryAfter: Duration.Duration | undefined }> {}

const openFor = (millis: ReadonlyArray<number>) =>
  Schedule.fromStep(
    Effect.sync(() => {
      let n = 0
      return () => {
        const delay = Duration.millis(millis[Math.min(n++, millis.length - 1)] ?? Number.NaN)
        return Effect.succeed<[Duration.Duration, Duration.Duration]>([delay, delay])
      }
    })
  )

const wait = (after: Duration.Duration | undefined) => (after === undefined ? undefined : Duration.toMillis(after))

/** Calls that run in fibers of their own and are interrupted where they are to be ignored. */
const calls =
  (key: string | undefined) =>
  (policy: Policy): Effect.Effect<System<Call>> =>
    Effect.sync(() => {
      const breaker = CircuitBreaker.makeUnsafe("model", {
        trip: tripPolicy(policy.trip),
        openFor: openFor(policy.openFor),
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
      const { begin, status } = caller(breaker, { key })
      return {
        admit: Effect.map(begin, (call) =>
          call.refused === undefined
            ? ({ _tag: "Admitted", admission: call } as const)
            : ({ _tag: "Refused", wait: wait(call.refused.retryAfter) } as const)
        ),
        settle: (call, outcome, hint) => {
          const failed = new Failed({ retryAfter: hint === 0 ? undefined : Duration.millis(hint) })
          return outcome === "Ignored"
            ? Effect.map(call.interrupt, (exit) => assert.isTrue(Exit.hasInterrupts(exit)))
            : outcome === "Success"
              ? Effect.map(call.end(Exit.succeed(7)), (exit) => assert.deepStrictEqual(exit, Exit.succeed(7)))
              : Effect.map(call.end(Exit.fail(failed)), (exit) => assert.deepStrictEqual(exit, Exit.fail(failed)))
        },
        wait: (millis) => TestClock.adjust(millis),
        hold: (as, forMillis) =>
          (as === "HeldOpen" ? CircuitBreaker.holdOpen : CircuitBreaker.holdClosed)(breaker, { for: forMillis, key }),
        release: CircuitBreaker.release(breaker, { key }),
        reset: CircuitBreaker.reset(breaker, { key }),
        view: Effect.map(status, ({ counts, inFlight, lastFailure, recent, retryAfter, state }) => {
          const settled = counts.successes + counts.failures + counts.ignored
          assert.strictEqual(inFlight, counts.calls - settled)
          assert.strictEqual(recent.length, Math.min(16, settled))
          assert.strictEqual(lastFailure === undefined, counts.failures === 0)
          return { mode: state._tag, number: state.generation, wait: wait(retryAfter), counts }
        })
      }
    })

describe("the model and protected calls", () => {
  for (const [way, provide] of ways) {
    it.effect(`agree on 1000 random histories that reach every edge and every rule (${way})`, () =>
      provide(agrees(calls(undefined), { runs: 1000, dryRuns: true }))
    )
  }

  it.effect("agree on 1000 random histories of the circuit of a key", () =>
    agrees(calls("key"), { runs: 1000, dryRuns: true })
  )
})
