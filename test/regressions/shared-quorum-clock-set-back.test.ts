// With a quorum, the clock of a process was set back and the store learnt of it, but calls went on by the times of the
// clock as it was: a circuit stayed open, and an operator's hold went on, for as long as the clock was set back.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitState from "../../src/circuit/CircuitState.ts"
import * as MemoryTable from "../support/memory-table.ts"
import * as SharedClient from "../support/shared-client.ts"

const machine = { probes: 1, needed: 1, of: 1, leaseMillis: 5000, paceMillis: 100 }
const hour = 3_600_000

const events: ReadonlyArray<readonly [title: string, events: ReadonlyArray<CircuitState.Event>]> = [
  ["a hold", [{ _tag: "Hold", as: "HeldOpen", forMillis: hour }]],
  [
    "an open time",
    [
      { _tag: "Hold", as: "HeldClosed" },
      { _tag: "Reset" },
      { _tag: "Trip", generation: 2, openMillis: hour, reason: "down" }
    ]
  ]
]

describe("a clock that is set back where there is a quorum", () => {
  for (const [title, all] of events) {
    it.effect(`does not lengthen ${title}`, () =>
      Effect.gen(function* () {
        const memory = MemoryTable.make()
        const processes = yield* Effect.forEach(["a", "b"], (instance) =>
          SharedClient.open(memory.table, machine, { instance, quorum: 2, timeout: 1000, pollEvery: 5000 })
        )
        for (const event of all) {
          for (const { apply } of event._tag === "Trip" ? processes : processes.slice(0, 1)) {
            yield* apply(event)
            yield* TestClock.adjust(10)
          }
        }
        const refuses = Effect.clockWith((clock) =>
          Effect.succeed(
            processes.map(({ cell }) =>
              Boolean(CircuitState.refusal(cell.current, clock.currentTimeMillisUnsafe(), machine))
            )
          )
        )
        yield* TestClock.adjust("30 minutes")
        assert.deepStrictEqual(yield* refuses, [true, true])
        const told = processes.map(({ cell }) => cell.told.length)
        // An hour passed, and the clocks of the processes do not know.
        memory.faults.ahead = hour
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(yield* refuses, [false, false])
        assert.deepStrictEqual(
          processes.map(({ cell }) => cell.told.length),
          told
        )
      })
    )
  }
})
