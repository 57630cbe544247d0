// A write whose version never matched (a read from a replica that lags, a row of version 0, another isolation) was tried
// again without a pause or an end, 750 to 1070 operations a second from one process, and for ever from the command line.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Logger } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitState from "../../src/circuit/CircuitState.ts"
import * as CircuitStoreTable from "../../src/store/CircuitStoreTable.ts"
import * as CircuitTable from "../../src/store/CircuitTable.ts"
import * as Cells from "../support/cells.ts"
import * as MemoryTable from "../support/memory-table.ts"

const config: CircuitState.Config = { probes: 1, needed: 1, of: 1, leaseMillis: 5000, paceMillis: 50 }
const hold: CircuitState.Event = { _tag: "Hold", as: "HeldOpen", by: "ops" }

/** A table whose writes of one row never find the version that was read. */
const stubborn = (memory: MemoryTable.MemoryTable): CircuitTable.CircuitTable => ({
  ...memory.table,
  write: (draft, expected) => memory.table.write(draft, draft.resourceKey === "payments" ? expected + 1 : expected)
})

describe("a write that never matches", () => {
  it.effect("is tried 20 times by whoever looks after a table, with pauses, and fails with an error that says so", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const update = CircuitTable.update(stubborn(memory), "payments", "ops", (state, now) => [
        CircuitState.reset(state, now),
        undefined
      ])
      const fiber = yield* Effect.forkChild(Effect.flip(update), { startImmediately: true })
      yield* TestClock.adjust(10)
      assert.isBelow(memory.operations.length, 16)
      yield* TestClock.adjust("2 seconds")
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error._tag, "TableError")
      assert.strictEqual(error.message, "the row of payments had another version at each of 20 writes")
      assert.strictEqual(memory.operations.filter((each) => each === "write").length, 20)
    })
  )

  it.effect("is given up after 10 seconds where the table is slow", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make({ takes: 2000 })
      const update = CircuitTable.update(stubborn(memory), "payments", "ops", (state, now) => [
        CircuitState.reset(state, now),
        undefined
      ])
      const fiber = yield* Effect.forkChild(Effect.flip(update), { startImmediately: true })
      yield* TestClock.adjust("15 seconds")
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error.message, "the row of payments had another version at each of 3 writes")
    })
  )

  it.effect("is the trouble of its circuit, which continues alone, and of no other", () => {
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => void lines.push(String(message)))
    return Effect.gen(function* () {
      const memory = MemoryTable.make()
      const store = yield* CircuitStoreTable.make(stubborn(memory), { pollEvery: "5 seconds", spread: 0 })
      const other = yield* CircuitStoreTable.make(memory.table, { pollEvery: "5 seconds", spread: 0 })
      const [cell, well, far] = [new Cells.Cell(), new Cells.Cell("search"), new Cells.Cell("search")]
      for (const each of [cell, well]) store.attach(each)
      other.attach(far)
      yield* TestClock.adjust("2 seconds")

      memory.operations.length = 0
      const held = yield* Effect.forkChild(Cells.apply(store, cell, hold, config), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(held)).after._tag, "HeldOpen")
      assert.strictEqual(cell.current._tag, "HeldOpen")
      yield* TestClock.adjust("1 minute")
      assert.deepInclude(yield* store.status, { reachable: true, pending: 1, errors: 0 })
      assert.isBelow(memory.operations.length, 800)

      yield* Cells.apply(store, well, hold, config)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(far.current._tag, "HeldOpen")
      assert.deepStrictEqual(lines, [
        "Circuit store found another version of a row at each of 20 writes, its circuit continues alone: payments"
      ])
    }).pipe(Effect.provide(Logger.layer([logger])))
  })

  it.effect("reaches the table when that is over, and is reported again when it begins again", () => {
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => void lines.push(String(message)))
    return Effect.gen(function* () {
      const memory = MemoryTable.make()
      let isStubborn = false
      const table: CircuitTable.CircuitTable = {
        ...memory.table,
        write: (draft, expected) => memory.table.write(draft, isStubborn ? expected + 1 : expected)
      }
      const store = yield* CircuitStoreTable.make(table, { pollEvery: "5 seconds", spread: 0 })
      const cell = new Cells.Cell()
      store.attach(cell)
      yield* TestClock.adjust("1 second")
      for (const event of [hold, { _tag: "Release" }] as const) {
        isStubborn = true
        const fiber = yield* Effect.forkChild(Cells.apply(store, cell, event, config), { startImmediately: true })
        yield* TestClock.adjust("20 seconds")
        const { after } = yield* Fiber.join(fiber)
        isStubborn = false
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(CircuitTable.decode(memory.rows.get("payments")!.data)?.state._tag, after._tag)
        assert.strictEqual((yield* store.status).pending, 0)
      }
      assert.lengthOf(lines, 2)
    }).pipe(Effect.provide(Logger.layer([logger])))
  })
})
