import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitStoreLaws from "../../src/testing/CircuitStoreLaws.ts"
import * as CircuitStoreTable from "../../src/store/CircuitStoreTable.ts"
import { suite } from "../suites/CircuitStoreSuite.ts"
import * as MemoryTable from "../support/memory-table.ts"

const openFleet = (clients: number, faults: Partial<MemoryTable.Faults>) =>
  Effect.gen(function* () {
    const { table, faults: state } = MemoryTable.make(faults)
    const { takes } = state
    const stores = yield* Effect.all(
      Array.from({ length: clients }, () =>
        CircuitStoreTable.make(table, { pollEvery: "1 second", spread: 0, log: false })
      )
    )
    yield* TestClock.adjust(10 * takes)
    return CircuitStoreLaws.testFleet(stores, { settle: takes * 100 + 10 })
  })

suite("one client of a shared store", openFleet(1, {}), { runs: 200 })
suite("two clients of a shared store", openFleet(2, {}), { clients: 2, runs: 200 })
suite("two clients of a slow shared store", openFleet(2, { takes: 4 }), { clients: 2, runs: 200 })
suite("three clients of a shared store", openFleet(3, {}), { clients: 3, runs: 200 })
suite("three clients of a slow shared store", openFleet(3, { takes: 4 }), { clients: 3, runs: 200 })
suite("three clients of a shared store whose operations take any time", openFleet(3, { takes: 4, varies: true }), {
  clients: 3
})
