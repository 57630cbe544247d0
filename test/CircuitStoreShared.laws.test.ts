import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitStoreShared from "../src/CircuitStoreShared.ts"
import type { Fleet } from "./suites/CircuitStoreSuite.ts"
import { suite } from "./suites/CircuitStoreSuite.ts"
import * as MemoryTable from "./support/memory-table.ts"

const openFleet = (clients: number, faults: Partial<MemoryTable.Faults>) =>
  Effect.gen(function* () {
    const { table, faults: state } = MemoryTable.make(faults)
    const { takes } = state
    const stores = yield* Effect.all(
      Array.from({ length: clients }, () => CircuitStoreShared.make(table, { pollEvery: "1 second", log: false }))
    )
    yield* TestClock.adjust(10 * takes)
    const fleet: Fleet = {
      clients: stores,
      drive: (effect) =>
        Effect.gen(function* () {
          const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
          while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust(takes / 2)
          return yield* Fiber.join(fiber)
        }),
      sleep: (millis) => TestClock.adjust(millis),
      settle: TestClock.adjust(takes * 100 + 1)
    }
    return fleet
  })

suite("one client of a shared store", openFleet(1, {}))
suite("two clients of a shared store", openFleet(2, {}), { clients: 2 })
suite("two clients of a slow shared store", openFleet(2, { takes: 4 }), { clients: 2 })
suite("three clients of a shared store", openFleet(3, {}), { clients: 3 })
suite("three clients of a slow shared store", openFleet(3, { takes: 4 }), { clients: 3 })
