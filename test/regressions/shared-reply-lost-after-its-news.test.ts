// A write was done, its news came by the feed, and its reply did not come: the step was applied once more to what it had
// made. A probe counted twice, a permit was given that nobody had, and a hold began again.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import type * as CircuitState from "../../src/circuit/CircuitState.ts"
import * as Law from "../../src/testing/Law.ts"
import * as MemoryTable from "../support/memory-table.ts"
import * as SharedClient from "../support/shared-client.ts"

const machine = { probes: 2, needed: 3, of: 3, leaseMillis: 10_000, paceMillis: 100 }

/** Two clients, of which the first loses a reply in a circuit that one probe of its own is in. */
const lost = (event: CircuitState.Event, then?: CircuitState.Event) =>
  Effect.gen(function* () {
    const memory = MemoryTable.make()
    const mine = memory.client()
    const client = yield* SharedClient.open(mine.table, machine)
    const other = yield* SharedClient.open(memory.client().table, machine)
    yield* client.apply({ _tag: "Trip", generation: 0, openMillis: 1000, reason: "down" })
    yield* TestClock.adjust(1000)
    yield* client.apply({ _tag: "Admit" })
    mine.faults.hangsReplies = true
    const updated = yield* Effect.forkChild(client.apply(event), { startImmediately: true })
    yield* TestClock.adjust(50)
    if (then !== undefined) yield* other.apply(then)
    yield* TestClock.adjust(50)
    const { answer } = yield* Fiber.join(updated)
    mine.faults.hangsReplies = false
    yield* TestClock.adjust("5 seconds")
    const state = SharedClient.stateOf(memory.rows)!
    // Generations of a view that went on alone are its own.
    for (const { cell } of [client, other]) {
      assert.strictEqual(Law.text({ ...cell.current, generation: state.generation }), Law.text(state))
    }
    return { answer, state }
  })

const settled: CircuitState.Event = {
  _tag: "Settle",
  generation: 2,
  permit: 1,
  outcome: "Success",
  openMillis: 1000,
  reason: "probed"
}

describe("an update whose reply was lost after the feed told of it", () => {
  it.effect("counts a probe once", () =>
    Effect.gen(function* () {
      for (const then of [undefined, { _tag: "Admit" } as const]) {
        const { state } = yield* lost(settled, then)
        assert.strictEqual(state._tag === "HalfOpen" && state.successes, 1)
      }
    })
  )

  it.effect("has the permit that stands in the row", () =>
    Effect.gen(function* () {
      const { answer, state } = yield* lost({ _tag: "Admit" })
      assert.deepStrictEqual(answer, { _tag: "Admitted", generation: 2, permit: 2 })
      assert.strictEqual(state._tag === "HalfOpen" && state.permits, 2)
    })
  )

  it.effect("begins a hold once", () =>
    Effect.gen(function* () {
      const { state } = yield* lost({ _tag: "Hold", as: "HeldOpen" })
      assert.deepStrictEqual([state._tag, state.generation], ["HeldOpen", 3])
    })
  )
})
