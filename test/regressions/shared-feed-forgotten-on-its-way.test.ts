// A firewall that forgets connections leaves a feed open and silent: no error, and no message ever again. A store that
// found its table away listens anew when it is back, instead of going on with what its polls find.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitHistory from "../../src/testing/internal/CircuitHistory.ts"
import * as CircuitState from "../../src/circuit/CircuitState.ts"
import * as CircuitStoreTable from "../../src/store/CircuitStoreTable.ts"
import * as MemoryTable from "../support/memory-table.ts"

const machine = { probes: 1, needed: 1, of: 1, leaseMillis: 1000, paceMillis: 100 }

describe("a feed that was forgotten on its way", () => {
  it.effect("is replaced after an outage, so that the next change is heard at once", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      let listened = 0
      const heard = memory.table.listen ?? (() => Effect.never)
      const listen: typeof heard = (hear) =>
        Effect.suspend(() => (listened++ === 0 ? Effect.as(heard(hear), Effect.never) : heard(hear)))
      const store = yield* CircuitStoreTable.make({ ...memory.table, listen }, { log: false })
      const other = yield* CircuitStoreTable.make(memory.table, { log: false })
      const [cell, far] = [new CircuitHistory.Cell(), new CircuitHistory.Cell()]
      store.attach(cell)
      other.attach(far)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(memory.listeners(), 2)

      memory.faults.down = true
      yield* TestClock.adjust("10 seconds")
      assert.isFalse((yield* store.status).reachable)
      memory.faults.down = false
      yield* TestClock.adjust("20 seconds")
      assert.isTrue((yield* store.status).reachable)
      assert.strictEqual(memory.listeners(), 2)

      const operations = memory.operations.length
      yield* other.update(far, 0, (state, now) =>
        CircuitState.transition(state, { _tag: "Hold", as: "HeldOpen" }, now, machine)
      )
      yield* TestClock.adjust(5)
      assert.strictEqual(cell.current._tag, "HeldOpen")
      // The other's own, and the one for what was heard.
      assert.deepStrictEqual(memory.operations.slice(operations), ["read", "write", "read"])
    })
  )
})
