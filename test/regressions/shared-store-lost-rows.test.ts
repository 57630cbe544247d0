// A table that lost its rows got one back from a process that had not heard of the hold yet, and the process that held the
// circuit gave in to it. An update that had waited in vain wrote the time at which it had begun, before the trip it ended.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitState from "../../src/circuit/CircuitState.ts"
import type * as CircuitStore from "../../src/store/CircuitStore.ts"
import * as CircuitTable from "../../src/store/CircuitTable.ts"
import * as MemoryTable from "../support/memory-table.ts"
import * as SharedClient from "../support/shared-client.ts"

const machine = { probes: 1, needed: 1, of: 1, leaseMillis: 1000, paceMillis: 100 }
const trip = { _tag: "Trip", generation: 0, openMillis: 60_000, reason: "down" } as const

/** Loses the rows, and makes one of a state that somebody else knew. */
const makeAgain = (memory: MemoryTable.MemoryTable, step: CircuitStore.Step<unknown>) =>
  Effect.gen(function* () {
    yield* TestClock.adjust(10)
    yield* memory.restart(new Map())
    yield* CircuitTable.update(memory.table, "payments", "who had not heard", step)
    yield* TestClock.adjust("5 seconds")
  })

describe("a row that was lost and made again by who knew less", () => {
  it.effect("does not end a hold, where it says that nothing ever happened", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const client = yield* SharedClient.open(memory.table, machine)
      yield* client.apply({ _tag: "Hold", as: "HeldOpen" })
      yield* makeAgain(memory, () => [{ ...CircuitState.initial }, undefined])
      assert.strictEqual(client.cell.current._tag, "HeldOpen")
      assert.strictEqual(SharedClient.stateOf(memory.rows)?._tag, "HeldOpen")
    })
  )

  it.effect("does not end a hold, where it has the state before that or one that came of it", () =>
    Effect.gen(function* () {
      for (const earlier of [[], [trip]]) {
        const memory = MemoryTable.make()
        const client = yield* SharedClient.open(memory.table, machine)
        for (const event of earlier) yield* client.apply(event)
        yield* client.apply({ _tag: "Hold", as: "HeldOpen" })
        yield* makeAgain(memory, (state, now) => CircuitState.transition(state, trip, now, machine))
        assert.strictEqual(client.cell.current._tag, "HeldOpen")
        assert.strictEqual(SharedClient.stateOf(memory.rows)?._tag, "HeldOpen")
      }
    })
  )
})

describe("an update that went on alone after it had waited", () => {
  it.effect("is made at the time that it is by then", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const client = yield* SharedClient.open(memory.table, machine)
      memory.faults.frozen = true
      const began = client.cell.current.since
      const reset = yield* Effect.forkChild(client.apply({ _tag: "Reset" }), { startImmediately: true })
      const before = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      yield* TestClock.adjust(100)
      const { after } = yield* Fiber.join(reset)
      assert.strictEqual(began, 0)
      assert.strictEqual(after.since, before + 100)
    })
  )
})
