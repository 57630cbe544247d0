import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitState from "../../src/circuit/CircuitState.ts"
import * as CircuitStore from "../../src/store/CircuitStore.ts"
import * as CircuitStoreTable from "../../src/store/CircuitStoreTable.ts"
import * as Health from "../../src/health/Health.ts"
import * as MemoryTable from "../support/memory-table.ts"

describe("fromStore", () => {
  it.effect("in-memory when the store is unavailable: the report is degraded meanwhile, and says why", () => {
    const memory = MemoryTable.make()
    const StoreLive = Layer.effect(
      CircuitStore.CircuitStore,
      CircuitStoreTable.make(memory.table, { log: false, pollEvery: "1 second" })
    )
    return Effect.gen(function* () {
      const store = yield* CircuitStore.CircuitStore
      store.attach({ name: "payments", key: undefined, current: CircuitState.initial, changed: () => Effect.void })
      const asked = () => Effect.map(Health.run("circuits"), ({ message, status }) => [status, message])
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* asked(), ["healthy", undefined])
      memory.faults.down = true
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* asked(), ["degraded", "the store does not answer: connection refused"])
      assert.strictEqual((yield* Health.report).status, "degraded")
      memory.faults.down = false
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* asked(), ["healthy", undefined])
    }).pipe(
      Effect.provide(
        Layer.provideMerge(Health.layer({ checks: { circuits: Health.fromStore({ critical: false }) } }), StoreLive)
      )
    )
  })

  it.effect("a store that shares with nobody is healthy, and says so", () =>
    Effect.gen(function* () {
      const { details, status } = yield* Health.run("circuits")
      assert.deepStrictEqual([status, details], ["healthy", { shared: false }])
    }).pipe(
      Effect.provide(Layer.provide(Health.layer({ checks: { circuits: Health.fromStore() } }), CircuitStore.layerLocal))
    )
  )
})
