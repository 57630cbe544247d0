// Two breakers of one name in two registries of a process have a replica each. The replicas named their writes alike, so
// that one took the row of the other for its own, and an open circuit went over an operator's hold.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitTable from "../../src/store/CircuitTable.ts"
import * as MemoryTable from "../support/memory-table.ts"
import * as SharedClient from "../support/shared-client.ts"

const machine = { probes: 1, needed: 1, of: 1, leaseMillis: 1000, paceMillis: 100 }

describe("two replicas of one circuit in a process", () => {
  it.effect("know their own writes from each other's, also where a reply was lost", () =>
    Effect.gen(function* () {
      const { table, writes } = MemoryTable.make()
      let hangs = true
      const called = yield* SharedClient.open(
        {
          ...table,
          write: (draft, expected) => {
            if (!hangs || !draft.data.includes('"Open"')) return table.write(draft, expected)
            hangs = false
            return Effect.never
          }
        },
        machine
      )
      const steered = yield* SharedClient.join(called.store, machine)
      const pause = TestClock.adjust(10)
      // Both have moved as often as the other one now.
      yield* Effect.andThen(steered.apply({ _tag: "Reset" }), pause)
      const { generation } = called.cell.current
      yield* called.apply({ _tag: "Trip", generation, openMillis: 60_000, reason: "down" }, { eager: true })
      yield* Effect.andThen(pause, steered.apply({ _tag: "Hold", as: "HeldOpen" }))
      yield* TestClock.adjust("20 seconds")
      const written = writes.map(({ after }) => CircuitTable.decode(after.data)?.state._tag)
      assert.deepStrictEqual(written, ["Closed", "Closed", "HeldOpen"])
      assert.deepStrictEqual([steered.cell.current._tag, called.cell.current._tag], ["HeldOpen", "HeldOpen"])
    })
  )
})
