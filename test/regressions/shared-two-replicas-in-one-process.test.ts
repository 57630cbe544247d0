// Two breakers of one name in two registries of a process have a replica each. The replicas named their writes alike, so
// that one took the row of the other for its own, and an open circuit went over an operator's hold.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitHistory from "../../src/CircuitHistory.ts"
import * as CircuitState from "../../src/CircuitState.ts"
import type * as CircuitStore from "../../src/CircuitStore.ts"
import * as CircuitStoreShared from "../../src/CircuitStoreShared.ts"
import * as CircuitTable from "../../src/CircuitTable.ts"
import * as MemoryTable from "../support/memory-table.ts"

const machine = { probes: 1, needed: 1, of: 1, leaseMillis: 1000, paceMillis: 100 }

describe("two replicas of one circuit in a process", () => {
  it.effect("know their own writes from each other's, also where a reply was lost", () =>
    Effect.gen(function* () {
      const { table, writes } = MemoryTable.make()
      let hangs = true
      const store = yield* CircuitStoreShared.make(
        {
          ...table,
          write: (draft, expected) => {
            if (!hangs || !draft.data.includes('"Open"')) return table.write(draft, expected)
            hangs = false
            return Effect.never
          }
        },
        { spread: 0, timeout: 100, pollEvery: 1000, log: false }
      )
      const [called, steered] = [new CircuitHistory.Cell(), new CircuitHistory.Cell()]
      const apply = (cell: CircuitStore.Cell, event: CircuitState.Event, eager = false) =>
        Effect.clockWith((clock) =>
          store.update(
            cell,
            clock.currentTimeMillisUnsafe(),
            (state, now) => CircuitState.transition(state, event, now, machine),
            { eager }
          )
        ).pipe(Effect.andThen(TestClock.adjust(10)))
      for (const cell of [called, steered]) store.attach(cell)
      yield* TestClock.adjust(10)
      // Both have moved as often as the other one now.
      yield* apply(steered, { _tag: "Reset" })
      yield* apply(
        called,
        { _tag: "Trip", generation: called.current.generation, openMillis: 60_000, reason: "down" },
        true
      )
      yield* apply(steered, { _tag: "Hold", as: "HeldOpen" })
      yield* TestClock.adjust("20 seconds")
      const written = writes.map(({ after }) => CircuitTable.decode(after.data)?.state._tag)
      assert.deepStrictEqual(written, ["Closed", "Closed", "HeldOpen"])
      assert.deepStrictEqual([steered.current._tag, called.current._tag], ["HeldOpen", "HeldOpen"])
    })
  )
})
