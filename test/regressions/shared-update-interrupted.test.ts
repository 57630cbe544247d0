// A hold was interrupted after its write was done and before the reply came. A trip that came next took the row for its
// own, and went over it.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as MemoryTable from "../support/memory-table.ts"
import * as SharedClient from "../support/shared-client.ts"

const machine = { probes: 1, needed: 1, of: 1, leaseMillis: 5000, paceMillis: 100 }

describe("an update that was interrupted", () => {
  it.effect("is no write of what comes after it", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make({ deaf: true })
      const { apply, cell } = yield* SharedClient.open(memory.table, machine, { timeout: 1000, pollEvery: "1 hour" })
      memory.faults.hangsReplies = true
      const holding = yield* Effect.forkChild(apply({ _tag: "Hold", as: "HeldOpen" }), { startImmediately: true })
      yield* TestClock.adjust(10)
      yield* Fiber.interrupt(holding)
      memory.faults.hangsReplies = false
      yield* apply({ _tag: "Trip", generation: 0, openMillis: 60_000, reason: "down" }, { eager: true })
      yield* TestClock.adjust(10)
      assert.strictEqual(SharedClient.stateOf(memory.rows)?._tag, "HeldOpen")
      assert.strictEqual(cell.current._tag, "HeldOpen")
    })
  )
})
