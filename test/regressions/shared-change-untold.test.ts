// A row that was set back, or was made again, had another state in a generation that the view had had. Changes are told
// apart by generations, so the circuit closed or opened and nobody was told.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as CircuitState from "../../src/circuit/CircuitState.ts"
import * as CircuitStore from "../../src/store/CircuitStore.ts"
import * as CircuitStoreTable from "../../src/store/CircuitStoreTable.ts"
import * as CircuitTable from "../../src/store/CircuitTable.ts"
import * as MemoryTable from "../support/memory-table.ts"

const open = (memory: MemoryTable.MemoryTable) =>
  Effect.gen(function* () {
    const store = yield* CircuitStoreTable.make(memory.table, { spread: 0, log: false })
    const breaker = yield* Effect.provideService(
      CircuitBreaker.makeShared("payments", { log: false }),
      CircuitStore.CircuitStore,
      store
    )
    const told: Array<string> = []
    yield* Effect.forkChild(
      Stream.runForEach(CircuitBreaker.changes(breaker), ({ from, to }) =>
        Effect.sync(() => void told.push(`${from._tag} > ${to._tag}`))
      )
    )
    yield* TestClock.adjust(10)
    return { breaker, told }
  })

describe("a circuit whose row", () => {
  it.effect("was set back tells that it closed", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const { breaker, told } = yield* open(memory)
      const backup = new Map(memory.rows)
      yield* CircuitBreaker.holdOpen(breaker)
      yield* memory.restart(backup)
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(told, ["Closed > HeldOpen", "HeldOpen > Closed"])
    })
  )

  it.effect("was made again tells that it opened", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const { breaker, told } = yield* open(memory)
      yield* CircuitBreaker.reset(breaker)
      yield* TestClock.adjust(1)
      memory.rows.clear()
      yield* CircuitTable.update(memory.table, "payments", "another", (state, now) => [
        CircuitState.trip(state, { generation: 0, openMillis: 60_000, reason: "down" }, now),
        undefined
      ])
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(told, ["Closed > Open"])
    })
  )
})
