import { assert, describe } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import { both, caller, make } from "../support/circuits.ts"

describe("trip policies", () => {
  type Step =
    | "ok"
    | "fail"
    | "ignored"
    | "defect"
    | `wait ${number}`
    | `slow ${number}`
    | `slow fail ${number}`
    | `slow interrupt ${number}`
  const scenarios: ReadonlyArray<{
    readonly name: string
    readonly trip?: TripPolicy.TripPolicy
    readonly steps: ReadonlyArray<Step>
    /** The reason, where the last step opens the circuit. */
    readonly opens: string | undefined
  }> = [
    { name: "the default is five failures in a row", steps: ["fail", "fail", "fail", "fail"], opens: undefined },
    {
      name: "the default is five failures in a row, the fifth opens",
      steps: ["fail", "fail", "fail", "fail", "fail"],
      opens: "5 consecutive failures"
    },
    {
      name: "consecutive: a success begins the count again",
      trip: TripPolicy.consecutive(2),
      steps: ["fail", "ok", "fail"],
      opens: undefined
    },
    {
      name: "consecutive: an ignored call does not",
      trip: TripPolicy.consecutive(2),
      steps: ["fail", "ignored", "fail"],
      opens: "2 consecutive failures"
    },
    {
      name: "consecutive: a defect is a failure",
      trip: TripPolicy.consecutive(2),
      steps: ["fail", "defect"],
      opens: "2 consecutive failures"
    },
    {
      name: "failure limit k of n: 3 of 10 opens at the third failure",
      trip: TripPolicy.failures({ count: 3, of: 10 }),
      steps: ["fail", "ok", "fail", "ok", "ok", "fail"],
      opens: "3 failures in the last 6 calls"
    },
    {
      name: "failure limit k of n: not at the second",
      trip: TripPolicy.failures({ count: 3, of: 10 }),
      steps: ["fail", "fail", "ok"],
      opens: undefined
    },
    {
      name: "failure limit k of n: a failure n calls ago is forgotten",
      trip: TripPolicy.failures({ count: 2, of: 3 }),
      steps: ["fail", "ok", "ok", "fail"],
      opens: undefined
    },
    {
      name: "failure limit k of n: an ignored call is none of the n",
      trip: TripPolicy.failures({ count: 2, of: 3 }),
      steps: ["fail", "ignored", "ok", "ignored", "fail"],
      opens: "2 failures in the last 3 calls"
    },
    {
      name: "failures: only a full window where minimumCalls says so",
      trip: TripPolicy.failures({ count: 2, of: 4, minimumCalls: 4 }),
      steps: ["fail", "fail", "ok"],
      opens: undefined
    },
    {
      name: "failures: a success may fill the window and open",
      trip: TripPolicy.failures({ count: 2, of: 4, minimumCalls: 4 }),
      steps: ["fail", "fail", "ok", "ok"],
      opens: "2 failures in the last 4 calls"
    },
    {
      name: "rate: at the ratio, with the minimum of calls",
      trip: TripPolicy.rate({ ratio: 0.5, within: "10 seconds", minimumCalls: 4 }),
      steps: ["ok", "fail", "ok", "fail"],
      opens: "2 of 4 calls in 10000 ms failed"
    },
    {
      name: "rate: not below the minimum of calls",
      trip: TripPolicy.rate({ ratio: 0.5, within: "10 seconds", minimumCalls: 4 }),
      steps: ["fail", "fail", "fail"],
      opens: undefined
    },
    {
      name: "rate: not below the ratio",
      trip: TripPolicy.rate({ ratio: 0.5, within: "10 seconds", minimumCalls: 4 }),
      steps: ["ok", "ok", "ok", "fail", "fail"],
      opens: undefined
    },
    {
      name: "rate: old calls leave the window",
      trip: TripPolicy.rate({ ratio: 1, within: "10 seconds", minimumCalls: 2 }),
      steps: ["fail", "wait 10000", "fail"],
      opens: undefined
    },
    {
      name: "rate: calls of the last `within` are in it",
      trip: TripPolicy.rate({ ratio: 1, within: "10 seconds", minimumCalls: 2 }),
      steps: ["fail", "wait 8999", "fail"],
      opens: "2 of 2 calls in 10000 ms failed"
    },
    {
      name: "slow calls: as slow as `after`",
      trip: TripPolicy.slowCalls({ after: "1 second", ratio: 1, minimumCalls: 2 }),
      steps: ["slow 1000", "slow 1000"],
      opens: "2 of 2 calls in 60000 ms slow"
    },
    {
      name: "slow calls: not a millisecond less",
      trip: TripPolicy.slowCalls({ after: "1 second", ratio: 1, minimumCalls: 2 }),
      steps: ["slow 1000", "slow 999"],
      opens: undefined
    },
    {
      name: "slow calls: also those that fail",
      trip: TripPolicy.slowCalls({ after: "1 second", ratio: 1, minimumCalls: 2 }),
      steps: ["slow fail 1000", "slow 1000"],
      opens: "2 of 2 calls in 60000 ms slow"
    },
    {
      name: "slow calls: also those that are interrupted, or a timeout outside would hide a hang",
      trip: TripPolicy.slowCalls({ after: "1 second", ratio: 1, minimumCalls: 2 }),
      steps: ["slow interrupt 1000", "slow interrupt 1000"],
      opens: "2 of 2 calls in 60000 ms slow"
    },
    {
      name: "slow calls: a call that is interrupted earlier counts for nothing",
      trip: TripPolicy.slowCalls({ after: "1 second", ratio: 1, minimumCalls: 2 }),
      steps: ["slow interrupt 1000", "slow interrupt 999"],
      opens: undefined
    },
    {
      name: "slow calls: quick failures are none",
      trip: TripPolicy.slowCalls({ after: "1 second", ratio: 0.1, minimumCalls: 1 }),
      steps: ["fail", "fail"],
      opens: undefined
    },
    {
      name: "any: the first of two",
      trip: TripPolicy.any(TripPolicy.consecutive(2), TripPolicy.failures({ count: 3, of: 10 })),
      steps: ["fail", "fail"],
      opens: "2 consecutive failures"
    },
    {
      name: "any: the second of two",
      trip: TripPolicy.any(TripPolicy.consecutive(2), TripPolicy.failures({ count: 3, of: 10 })),
      steps: ["fail", "ok", "fail", "ok", "fail"],
      opens: "3 failures in the last 5 calls"
    },
    {
      name: "any: neither of two",
      trip: TripPolicy.any(TripPolicy.consecutive(3), TripPolicy.slowCalls({ after: 1000, ratio: 1, minimumCalls: 2 })),
      steps: ["fail", "slow 1000", "fail", "fail"],
      opens: undefined
    },
    {
      name: "any: slow calls beside failures",
      trip: TripPolicy.any(TripPolicy.consecutive(3), TripPolicy.slowCalls({ after: 1000, ratio: 1, minimumCalls: 2 })),
      steps: ["slow 1000", "slow 2000"],
      opens: "2 of 2 calls in 60000 ms slow"
    }
  ]
  for (const { name, opens, steps, trip } of scenarios) {
    both(name, () =>
      Effect.gen(function* () {
        const { begin, die, fail, state, status, succeed, exit } = yield* make({
          trip,
          ignore: (error) => error === "ignored",
          log: false
        })
        for (const [i, step] of steps.entries()) {
          assert.strictEqual(yield* state, "Closed", `open before step ${i}`)
          const millis = Number(/\d+$/.exec(step)?.[0])
          if (step === "ok") yield* succeed
          else if (step === "fail") yield* fail
          else if (step === "ignored") yield* exit(Effect.fail("ignored"))
          else if (step === "defect") yield* die
          else if (step.startsWith("wait")) yield* TestClock.adjust(millis)
          else {
            const call = yield* begin
            yield* TestClock.adjust(millis)
            if (step.startsWith("slow interrupt")) yield* call.interrupt
            else yield* call.end(step.startsWith("slow fail") ? Exit.fail("boom") : Exit.succeed(1))
          }
        }
        const { state: last } = yield* status
        const end = steps.at(-1)
        const cause = end === "defect" ? "defect" : end?.includes("fail") ? "boom" : undefined
        assert.deepStrictEqual(
          last._tag === "Open" ? [last.reason, last.cause] : undefined,
          opens === undefined ? undefined : [opens, cause]
        )
      })
    )
  }

  both("count calls in the order in which they end", () =>
    Effect.gen(function* () {
      const { begin, state } = yield* make({ trip: TripPolicy.consecutive(2), log: false })
      const [a, b, c] = [yield* begin, yield* begin, yield* begin]
      yield* b.end(Exit.fail("boom"))
      yield* c.end(Exit.succeed(1))
      yield* a.end(Exit.fail("boom"))
      assert.strictEqual(yield* state, "Closed")
    })
  )

  both("the window is empty after the circuit closed again", () =>
    Effect.gen(function* () {
      const { fail, fails, state, succeed } = yield* make({
        trip: TripPolicy.failures({ count: 2, of: 10 }),
        openFor: "10 seconds",
        log: false
      })
      yield* fails(2)
      yield* TestClock.adjust("10 seconds")
      yield* succeed
      yield* fail
      assert.strictEqual(yield* state, "Closed")
      yield* fail
      assert.strictEqual(yield* state, "Open")
    })
  )

  both("slow calls are counted where the policy looks at them, and 0 where it does not", () =>
    Effect.gen(function* () {
      for (const [trip, slow] of [
        [TripPolicy.slowCalls({ after: 1000, minimumCalls: 100 }), 1],
        [TripPolicy.any(TripPolicy.consecutive(9), TripPolicy.slowCalls({ after: 1000, minimumCalls: 100 })), 1],
        [TripPolicy.rate(), 0],
        [TripPolicy.consecutive(9), 0]
      ] as const) {
        const { begin, status } = caller(CircuitBreaker.makeUnsafe("api", { trip }))
        const calls = [yield* begin, yield* begin]
        yield* TestClock.adjust(999)
        yield* calls[0]!.end(Exit.succeed(1)) // there are two
        yield* TestClock.adjust(1)
        yield* calls[1]!.end(Exit.succeed(1)) // there are two
        assert.strictEqual((yield* status).counts.slow, slow)
      }
    })
  )
})
