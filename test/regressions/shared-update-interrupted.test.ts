// A hold was interrupted after its write was done and before the reply came. A trip that came next took the row for its
// own, and went over it.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitHistory from "../../src/CircuitHistory.ts"
import * as CircuitState from "../../src/CircuitState.ts"
import type * as CircuitStore from "../../src/CircuitStore.ts"
import * as CircuitStoreShared from "../../src/CircuitStoreShared.ts"
import * as CircuitTable from "../../src/CircuitTable.ts"
import * as MemoryTable from "../support/memory-table.ts"

const machine = { probes: 1, needed: 1, of: 1, leaseMillis: 5000, paceMillis: 100 }

describe("an update that was interrupted", () => {
  it.effect("is no write of what comes after it", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make({ deaf: true })
      const store = yield* CircuitStoreShared.make(memory.table, { pollEvery: "1 hour", spread: 0, log: false })
      const cell = new CircuitHistory.Cell()
      store.attach(cell)
      yield* TestClock.adjust(10)
      const apply = (event: CircuitState.Event, options?: CircuitStore.UpdateOptions) =>
        Effect.clockWith((clock) =>
          store.update(
            cell,
            clock.currentTimeMillisUnsafe(),
            (state, now) => CircuitState.transition(state, event, now, machine),
            options
          )
        )
      memory.faults.hangsReplies = true
      const holding = yield* Effect.forkChild(apply({ _tag: "Hold", as: "HeldOpen" }), { startImmediately: true })
      yield* TestClock.adjust(10)
      yield* Fiber.interrupt(holding)
      memory.faults.hangsReplies = false
      yield* apply({ _tag: "Trip", generation: 0, openMillis: 60_000, reason: "down" }, { eager: true })
      yield* TestClock.adjust(10)
      assert.strictEqual(CircuitTable.decode(memory.rows.get("payments")!.data)?.state._tag, "HeldOpen")
      assert.strictEqual(cell.current._tag, "HeldOpen")
    })
  )
})
