// The process's clock jumped, and the store learnt of it from another circuit while an update was being written: the view
// got the times of the clock as it was. An open circuit was over at once, and a hold with an end went on.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as MemoryTable from "../support/memory-table.ts"
import * as SharedClient from "../support/shared-client.ts"

const machine = { probes: 1, needed: 1, of: 1, leaseMillis: 60_000, paceMillis: 100 }
const hour = 3_600_000

describe("a clock that is learnt while an update is written", () => {
  it.effect("is the one of the view", () =>
    Effect.gen(function* () {
      for (const ahead of [hour, -hour]) {
        const memory = MemoryTable.make({ takes: 100, ahead: 10 * hour })
        const { apply, cell, store } = yield* SharedClient.open(memory.table, machine, {
          timeout: 1000,
          pollEvery: 5000
        })
        const other = yield* SharedClient.join(store, machine, "search")
        yield* TestClock.adjust(1000)
        const held = yield* Effect.forkChild(apply({ _tag: "Hold", as: "HeldOpen", forMillis: hour }), {
          startImmediately: true
        })
        yield* TestClock.adjust(101)
        memory.faults.ahead += ahead
        memory.faults.takes = 0
        yield* other.apply({ _tag: "Admit" })
        yield* TestClock.adjust(200)
        yield* Fiber.join(held)
        const row = SharedClient.stateOf(memory.rows)!
        assert.strictEqual(cell.current.since, row.since - memory.faults.ahead)
      }
    })
  )
})
