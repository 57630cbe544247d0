// The process's clock jumped, and the store learnt of it from another circuit while an update was being written: the view
// got the times of the clock as it was. An open circuit was over at once, and a hold with an end went on.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitHistory from "../../src/CircuitHistory.ts"
import * as CircuitState from "../../src/CircuitState.ts"
import * as CircuitStoreShared from "../../src/CircuitStoreShared.ts"
import * as CircuitTable from "../../src/CircuitTable.ts"
import * as MemoryTable from "../support/memory-table.ts"

const machine = { probes: 1, needed: 1, of: 1, leaseMillis: 60_000, paceMillis: 100 }
const hour = 3_600_000

describe("a clock that is learnt while an update is written", () => {
  it.effect("is the one of the view", () =>
    Effect.gen(function* () {
      for (const ahead of [hour, -hour]) {
        const memory = MemoryTable.make({ takes: 100, ahead: 10 * hour })
        const store = yield* CircuitStoreShared.make(memory.table, { spread: 0, log: false })
        const [cell, other] = [new CircuitHistory.Cell("payments"), new CircuitHistory.Cell("search")]
        for (const each of [cell, other]) store.attach(each)
        yield* TestClock.adjust(1000)
        const apply = (cell: CircuitHistory.Cell, event: CircuitState.Event) =>
          Effect.clockWith((clock) =>
            store.update(cell, clock.currentTimeMillisUnsafe(), (state, now) =>
              CircuitState.transition(state, event, now, machine)
            )
          )
        const held = yield* Effect.forkChild(apply(cell, { _tag: "Hold", as: "HeldOpen", forMillis: hour }), {
          startImmediately: true
        })
        yield* TestClock.adjust(101)
        memory.faults.ahead += ahead
        memory.faults.takes = 0
        yield* apply(other, { _tag: "Admit" })
        yield* TestClock.adjust(200)
        yield* Fiber.join(held)
        const row = CircuitTable.decode(memory.rows.get("payments")!.data)!.state
        assert.strictEqual(cell.current.since, row.since - memory.faults.ahead)
      }
    })
  )
})
