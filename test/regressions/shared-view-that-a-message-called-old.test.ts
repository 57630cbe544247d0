// At the end of an open time a process looks at its view before it asks. A message had said that the row moved, and the
// view did not follow yet: the outcome of a probe was taken for one of an older state, and lost.
import { assert, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitState from "../../src/circuit/CircuitState.ts"
import * as CircuitStoreTable from "../../src/store/CircuitStoreTable.ts"
import * as CircuitTable from "../../src/store/CircuitTable.ts"
import { apply, Cell } from "../support/cells.ts"
import * as MemoryTable from "../support/memory-table.ts"

const config: CircuitState.Config = { probes: 1, needed: 1, of: 1, leaseMillis: 60_000, paceMillis: 0 }

it.effect("an outcome meets the state that a message told of, before the view follows", () =>
  Effect.gen(function* () {
    const memory = MemoryTable.make()
    const store = yield* CircuitStoreTable.make(memory.table, { spread: 1, log: false })
    const cell = new Cell()
    store.attach(cell)
    yield* TestClock.adjust(10)
    yield* Effect.forkChild(
      apply(store, cell, { _tag: "Trip", generation: 0, openMillis: 20, reason: "down" }, config, { eager: true })
    )
    yield* TestClock.adjust(100)
    yield* CircuitTable.update(memory.table, "payments", "another", (state, now) =>
      CircuitState.admit(state, now, config)
    )
    assert.strictEqual(cell.current._tag, "Open")
    const settled = yield* Effect.forkChild(
      apply(
        store,
        cell,
        { _tag: "Settle", generation: 2, permit: 1, outcome: "Success", openMillis: 20, reason: "" },
        config
      )
    )
    yield* TestClock.adjust(2)
    const { after, before } = yield* Fiber.join(settled)
    assert.deepStrictEqual([before._tag, after._tag], ["HalfOpen", "Closed"])
    const row = CircuitTable.decode(memory.rows.get("payments")?.data ?? "")
    assert.strictEqual(row?.state._tag, "Closed")
  }).pipe(Effect.scoped)
)
